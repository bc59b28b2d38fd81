"""What the help says of akr's own parts: `akr.help` reads it, since the parts need PyTorch."""

# Written by .ci/listing.py from the parts: edit these.
LISTING = {'settings': {'data': ('what to learn',
                       'str',
                       'Data set: a name, or folder:PATH, imagenet:PATH, tiny-imagenet:PATH, hf:PATH (default: '
                       'digits)'),
              'method': ('what to learn',
                         'str',
                         'What learns: akr, base, bic, finetune, icarl, lucir, mixup, mnemonics, ncm, ridge, wa '
                         '(default: akr)'),
              'recipe': ('what to learn',
                         'str',
                         "How the authors of the method trained it, by name (default: akr's own way)"),
              'base': ('what to learn',
                       'int',
                       'Classes of the first phase (default: see the table below, else all classes split evenly over '
                       'five phases)'),
              'step': ('what to learn',
                       'int',
                       'New classes of each later phase (default: see the table below, else as many as in the '
                       'first)'),
              'scheme': ('what to learn',
                         'str',
                         'Instead of base and step: tfs:N (from scratch, N even phases) or tfh:N (half first, then N '
                         'phases)'),
              'order': ('what to learn',
                        'str',
                        'Class order: natural, fgp, lucir, icarl, seed:K, or class numbers like 3,1,2 (default: see '
                        'the table below)'),
              'epochs': ('what to learn',
                         'int',
                         'Epochs of each phase, the warm-up included (default: see the table below; 1 with ncm, '
                         'ridge)'),
              'memory': ('what to learn',
                         'int',
                         'Exemplars in all; 0 for none (default: see the table below; 0 with finetune, ncm, ridge)'),
              'seed': ('what to learn', 'int', 'Seed of everything that is drawn at random (default: 1993)'),
              'data_dir': ('the data',
                           'str',
                           "Folder of torchvision's data sets (default: $AKR_DATA, else ~/.cache/akr/data)"),
              'size': ('the data',
                       'int',
                       'Height and width in pixels (default: as the images are; a folder, hf: 32; tiny-imagenet: 64; '
                       'imagenet: 224)'),
              'brightness': ('the data',
                             'float',
                             'Training scales the brightness of each image by up to this fraction (default: 63/255; '
                             '0 for digits and both kinds of MNIST)'),
              'classes': ('the data', 'int', 'Learn only so many classes, the first of the order'),
              'holdout': ('the data',
                          'float',
                          "Test on this part of each class's training images, which training does not see, instead "
                          'of the test images: for choosing settings (default: 0)'),
              'per_class': ('the memory',
                            'int',
                            'Instead of memory: exemplars of each class (default: see the table below)'),
              'quota': ('the memory',
                        'str',
                        'Rounding of memory/classes: floor, ceil (default: floor; ceil with icarl)'),
              'exemplars': ('the memory',
                            'str',
                            'How exemplars are made: herding, mnemonics (default: herding; mnemonics with '
                            'mnemonics)'),
              'backbone': ('the network',
                           'str',
                           'The network, from images to features (timm:NAME for one of timm): resnet, resnet18, '
                           'resnet34, resnet50, timm (default: resnet)'),
              'head': ('the network',
                       'str',
                       'From features to classes: cosine, linear (default: linear; cosine with lucir, mnemonics, '
                       'ncm)'),
              'blend': ('blending',
                        'str',
                        'How images are blended: attentive, changed, cutmix, labels, lookahead, measured, mixup, '
                        'none, picked, standardised (default: none; attentive with akr; mixup with mixup)'),
              'loss': ('the loss',
                       'str',
                       'What training minimises: balanced, sigmoid, softmax (default: softmax; sigmoid with icarl)'),
              'batch': ('training', 'int', 'Images per batch (default: see the table below)'),
              'lr': ('training', 'float', 'Peak learning rate of SGD (default: 0.1)'),
              'schedule': ('training',
                           'str',
                           'Course of the learning rate over a phase: constant, onecycle, steps (default: onecycle)'),
              'momentum': ('training', 'float', 'Momentum of SGD (default: 0.9)'),
              'weight_decay': ('training', 'float', 'Weight decay of SGD (default: 0.0005)'),
              'crop_area': ('training',
                            'float',
                            'Training takes a random part of each image, of at least this share of its area '
                            '(default: a shift by a few pixels)'),
              'trivial_augment': ('training',
                                  'bool',
                                  'TrivialAugment: one random operation on each training image (default: off)'),
              'erase': ('training',
                        'float',
                        'Share of the training images in which a random rectangle is erased (default: 0)'),
              'center_crop': ('training',
                              'float',
                              'Testing, and whatever else looks at whole images, sees the middle of each, of this '
                              'share of its height and width (default: all of it)'),
              'precision': ('training',
                            'str',
                            'Of the convolutions; auto: bfloat16 if the device computes with it: auto, float32, '
                            'bfloat16 (default: auto)'),
              'compile': ('training',
                          'str',
                          'Compile the network for training; auto: if the run is long enough to gain by it: auto, '
                          'yes, no (default: auto)'),
              'held_fraction': ('the method',
                                'float',
                                "Fraction of each old class's exemplars that is held out, with as many new images "
                                '(method bic; default: 0.1)'),
              'less_forget': ('the method',
                              'float',
                              'Base weight of the bond between new and old features; 0 for none (method lucir, '
                              'mnemonics; default: 5)'),
              'margin': ('the method',
                         'float',
                         'Margin between old classes and the new ones they are mistaken for; 0 for none (method '
                         'lucir, mnemonics; default: 0.5)'),
              'rivals': ('the method',
                         'int',
                         'How many new classes the margin counts for each image (method lucir, mnemonics; default: '
                         '2)'),
              'imprint': ('the method',
                          'bool',
                          'Rows of new classes start from their mean feature (method lucir, mnemonics; default: on)'),
              'fix_old': ('the method',
                          'bool',
                          'Rows of old classes stay as they are (method lucir, mnemonics; default: on)'),
              'random_features': ('the method',
                                  'int',
                                  'Width of the random projection; 0 for none (method ridge; default: 2000)'),
              'ridge': ('the method',
                        'float',
                        "The ridge, as a fraction of the mean of the Gram matrix's diagonal (method ridge; default: "
                        'the best on training features that are kept out)'),
              'sharpness': ('the method', 'float', 'Factor of the logits (method ridge; default: 10)'),
              'later_epochs': ('the method',
                               'int',
                               'Epochs of each phase after the first (method wa; default: as in the first)'),
              'later_milestones': ('the method',
                                   'tuple',
                                   'Milestones of the phases after the first; none: those of the first (method wa; '
                                   'default: none)'),
              'later_decay': ('the method',
                              'float',
                              'Weight decay of the phases after the first (method wa; default: as in the first)'),
              'weights': ('the network',
                          'str',
                          "Weights that the network starts from: none, default (the library's own, fetched once) or "
                          'a file (backbone resnet18, resnet34, resnet50, timm; default: none)'),
              'train_backbone': ('the network',
                                 'str',
                                 'Which layers of it learn: all, last, none (backbone resnet18, resnet34, resnet50, '
                                 'timm; default: all; none with ncm, ridge)'),
              'backbone_lr': ('the network',
                              'float',
                              "Its learning rate, as a fraction of the head's (backbone resnet18, resnet34, "
                              'resnet50, timm; default: 1)'),
              'input_size': ('the network',
                             'int',
                             'Height and width that it sees: images are brought to it (backbone resnet18, resnet34, '
                             'resnet50, timm; default: what its weights were learnt at; as the images are, without '
                             'any)'),
              'stem': ('the network',
                       'str',
                       'First layers of a ResNet: large (a 7x7 convolution and pooling, for photos) or small (one '
                       '3x3 convolution, for images of about 32 pixels): large, small (backbone resnet18, resnet34, '
                       'resnet50; default: large)'),
              'last_relu': ('the network',
                            'bool',
                            'End the backbone with a ReLU; without it features can be negative (backbone resnet, '
                            'resnet18, resnet34, resnet50; default: off)'),
              'depth': ('the network',
                        'int',
                        'Layers of the ResNet, 6n+2, the head included (backbone resnet; default: 32)'),
              'width': ('the network',
                        'int',
                        'Channels of its first stage; the others have 2 and 4 times as many (backbone resnet; '
                        'default: 16)'),
              'scale': ('the network', 'float', 'Scale of the cosine head at the start (head cosine; default: 10)'),
              'alpha': ('blending',
                        'tuple',
                        'Beta distribution of the blending weights (blend attentive, changed, cutmix, labels, '
                        'lookahead, measured, mixup, picked, standardised; default: 1 1)'),
              'pairing': ('blending',
                          'str',
                          'Pairs: any with any, mixed (exemplar with new), or exemplars alone: any, mixed, exemplars '
                          '(blend attentive, changed, cutmix, labels, lookahead, measured, mixup, picked, '
                          'standardised; default: any)'),
              'warmup': ('blending',
                         'int',
                         'Epochs of plain mixup before attention starts, in each phase after the first (blend '
                         'attentive, changed, labels, lookahead, measured, picked, standardised; default: see the '
                         'table below)'),
              'look_every': ('blending',
                             'int',
                             'Epochs between two looks at whole images, whose features attention then works with; 0: '
                             'it looks at the augmented images of each batch (blend attentive, changed, lookahead, '
                             'measured, picked, standardised; default: 0)'),
              'prior': ('blending',
                        'bool',
                        'Attention shifts weights drawn from the Beta prior; without it, attention alone makes them '
                        '(blend attentive, lookahead, standardised; default: on)'),
              'attention_lr': ('blending',
                               'float',
                               'Learning rate of the attention module (Adam) (blend attentive, lookahead, '
                               'standardised; default: 0.0001)'),
              'attention_schedule': ('blending',
                                     'bool',
                                     "That rate follows the schedule of the network's (blend attentive, lookahead, "
                                     'standardised; default: on)'),
              'attention_reg': ('blending',
                                'float',
                                'Weight of the mean squared shift of the log-odds, which draws the weights back to '
                                'the prior (blend attentive, lookahead, standardised; default: 0)'),
              'max_shift': ('blending',
                            'float',
                            'Bound of that shift; 0 for none (blend attentive, lookahead, standardised; default: 0)'),
              'objective': ('blending',
                            'str',
                            'help: attention lowers the loss; challenge: it raises it: help, challenge (blend '
                            'attentive, lookahead, standardised; default: help)'),
              'sees': ('blending',
                       'str',
                       'What the scorer sees: features, change or both: both, change, features (blend attentive, '
                       'lookahead, standardised; default: both)'),
              'normalise': ('blending',
                            'bool',
                            'Bring the features to unit length for the scorer (blend attentive, lookahead, '
                            'standardised; default: on)'),
              'hidden': ('blending',
                         'int',
                         "Width of the scorer's hidden layer (blend attentive, lookahead, standardised; default: "
                         '64)'),
              'judging': ('blending',
                          'int',
                          'Images per class that judge a step (blend lookahead, measured, picked; default: 4)'),
              'ahead': ('blending',
                        'str',
                        'What makes that step: the head, or the whole network: head, network (blend lookahead, '
                        'measured; default: head)'),
              'evenly': ('blending',
                         'bool',
                         'The weights of a batch keep the deviation of the prior (blend lookahead; default: on)'),
              'strength': ('blending',
                           'float',
                           'Deviation of what attention adds to the log-odds (blend changed, measured; default: 1)'),
              'label_strength': ('blending',
                                 'float',
                                 'Exponent of the ratio of two classes in the odds of their label (blend labels; '
                                 'default: 0.5)'),
              'weighting': ('the loss',
                            'str',
                            'Distillation is added (sum), or weighted by old/all classes (ratio): sum, ratio (loss '
                            'balanced, sigmoid, softmax; default: sum; ratio with bic, wa; replace with icarl)'),
              'distill': ('the loss',
                          'float',
                          'Weight of the distillation, with sum and ratio (loss balanced, sigmoid, softmax; default: '
                          '1; 0.25 with bic, wa; 0 with finetune, lucir, mnemonics, ncm, ridge)'),
              'entropy_free': ('the loss',
                               'bool',
                               "Subtract the labels' entropy from the loss, so that sure weights are not rewarded "
                               '(loss balanced, sigmoid, softmax; default: off)'),
              'temperature': ('the loss',
                              'float',
                              'Temperature of the distillation (loss balanced, softmax; default: 2)'),
              'columns': ('the loss',
                          'int',
                          'Classes that the mean over classes divides by (loss sigmoid; default: those seen so far)'),
              'balance': ('the loss',
                          'float',
                          'Weight of the log-frequency of the classes, 1 for balanced softmax (loss balanced; '
                          'default: 1)'),
              'level': ('the memory',
                        'str',
                        'bilevel, or means: the one level of the released code: bilevel, means (exemplars mnemonics; '
                        'default: bilevel)'),
              'pixel_steps': ('the memory',
                              'int',
                              'Steps of the optimisation of the pixels (exemplars mnemonics; default: 50)'),
              'pixel_lr': ('the memory', 'float', 'Its step, in grey levels (exemplars mnemonics; default: 0.2)'),
              'inner_lr': ('the memory',
                           'float',
                           'Step of the network on the exemplars, with bilevel (exemplars mnemonics; default: 0.01)'),
              'milestones': ('training',
                             'tuple',
                             'Epochs after which the rate falls (schedule steps; default: none)'),
              'gamma': ('training', 'float', 'Factor by which it falls there (schedule steps; default: 0.2)'),
              'test_fraction': ('the data',
                                'float',
                                'Part of each class held out for testing if a folder has no test images (data '
                                'folder, hf; default: 0.2)'),
              'subset': ('the data',
                         'str',
                         'Which classes: a number (so many, drawn with seed 1993), names of class folders joined by '
                         'commas, or a text file with one name per line (data imagenet, tiny-imagenet; default: all '
                         'of them)')},
 'defaults': '                 base  step  memory  epochs  warmup    order  batch  per-class\n'
             '  cifar10           2     2    2000      60      15  natural    128          -\n'
             '  cifar100         10    10    2000      90      20      fgp    128          -\n'
             '  digits            2     2     100      20       2  natural     32          -\n'
             '  fashion_mnist     2     2     500      15       3  natural    128          -\n'
             '  folder            -     -       -      60      15  natural    128         20\n'
             '  groceries         2     2       -      30       8  natural     32         10\n'
             '  hf                -     -       -      60      15  natural    128         20\n'
             '  imagenet          -     -       -      90      20    lucir    128         20\n'
             '  mnist             2     2     500       5       1  natural    128          -\n'
             '  tiny-imagenet     -     -       -      60      15  natural    128         20',
 'presets': {'quick': 'digits: 9 methods, 1 scheme (tfs:5), order natural, 3 seeds',
             'small': 'cifar100: 9 methods, 1 scheme (tfs:4), order fgp, 3 seeds',
             'paper': 'cifar100: 8 methods, 6 schemes (tfs:5 tfs:10 tfs:20 tfh:5 tfh:10 tfh:25), order fgp, 3 seeds',
             'imagenet-subset': 'imagenet: 8 methods, 6 schemes (tfs:5 tfs:10 tfs:20 tfh:5 tfh:10 tfh:25), order '
                                'fgp, 3 seeds'},
 'methods': ['akr', 'base', 'bic', 'finetune', 'icarl', 'lucir', 'mixup', 'mnemonics', 'ncm', 'ridge', 'wa'],
 'raced': ['akr', 'base', 'finetune', 'icarl', 'mixup'],
 'against': ['plain', 'avalanche'],
 'logs': 'mlflow (uri, experiment, model); tensorboard',
 'engines': 'local; ray (retries, address, gpus); slurm (retries, partition, account, qos, constraint, gpus, mem, '
            'time, cluster)',
 'norms': ['together', 'each']}
