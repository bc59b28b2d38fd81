import math

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from akr.core import InputError

def _as_pixels(x)->np.ndarray: # (n,h,w) or (n,h,w,3), in [0,1]
    x = torch.as_tensor(x)
    if x.ndim != 4 or x.shape[1] not in (1, 3): raise InputError(f"images must have the shape (n,c,h,w) with c of 1 or 3, not {tuple(x.shape)}")
    x = x.detach().cpu().float()/(255 if x.dtype == torch.uint8 else 1)
    x = x.clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return x[..., 0] if x.shape[-1] == 1 else x

def show_images(
    x, # Images (n,c,h,w): uint8, or float in [0,1]
    titles:list=None, # One a picture
    cols:int=8, # Pictures in a row
    size:float=1. # Side of a picture, in inches
)->Figure:
    "A grid of images."
    x = _as_pixels(x)
    cols = max(1, min(cols, len(x)))
    rows = math.ceil(len(x)/cols)
    fig = Figure(figsize=(cols*size, rows*size*(1.25 if titles else 1)), dpi=80, layout='constrained')
    for k, ax in enumerate(fig.subplots(rows, cols, squeeze=False).flat):
        ax.axis('off')
        if k >= len(x): continue
        ax.imshow(x[k], cmap='gray', vmin=0, vmax=1, interpolation='nearest')
        if titles: ax.set_title(str(titles[k]), fontsize=8)
    return fig

def plot_accuracy(
    curves:dict, # Name -> (classes seen after each phase, top-1 in percent)
    title:str='Accuracy over the classes seen'
)->Figure:
    "Top-1 accuracy against the number of classes seen, one line a name."
    fig = Figure(figsize=(5.5, 3.5), dpi=90, layout='constrained')
    ax = fig.subplots()
    for name, (seen, top1) in curves.items(): ax.plot(seen, top1, marker='o', ms=4, label=name)
    ax.set(xlabel='classes seen', ylabel='top-1 accuracy (%)', title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=.3); ax.legend()
    return fig

def plot_matrix(
    matrices:dict # Name -> lower-triangular rows of accuracies in percent (see `accuracy_matrix`)
)->Figure:
    "The accuracy of each phase's classes (columns) after each phase (rows), one panel a classifier."
    fig = Figure(figsize=(4.2*len(matrices)+.6, 3.8), dpi=90, layout='constrained')
    axes = fig.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (name, rows) in zip(axes, matrices.items()):
        T = len(rows)
        m = np.full((T, T), np.nan)
        for t, r in enumerate(rows): m[t, :len(r)] = r
        im = ax.imshow(m, vmin=0, vmax=100, cmap='viridis')
        if T <= 12:
            for t, r in enumerate(rows):
                for k, v in enumerate(r): ax.text(k, t, f'{v:.0f}', ha='center', va='center', fontsize=8, color='white' if v < 60 else 'black')
        ax.set(xlabel='classes that came in phase', ylabel='after phase', title=name, xticks=range(T), yticks=range(T), xticklabels=range(1, T+1), yticklabels=range(1, T+1))
    fig.colorbar(im, ax=list(axes), label='top-1 accuracy (%)', shrink=.9)
    return fig

def plot_weights(
    hist, # Counts of the blending weights: (2,bins), new images first, exemplars second
    std=None, # Deviation of the weights, epoch by epoch
    exemplar=None # Mean weight of the exemplars, epoch by epoch
)->Figure:
    "How the blending weights are distributed, and how they moved over the epochs."
    hist = np.asarray(hist, float)
    fig = Figure(figsize=(8 if std is not None else 4.2, 3), dpi=90, layout='constrained')
    axes = fig.subplots(1, 2 if std is not None else 1, squeeze=False)[0]
    mid = (np.arange(hist.shape[1])+.5)/hist.shape[1]
    for h, name in zip(hist, ('new images', 'exemplars')):
        if h.sum(): axes[0].step(mid, h/h.sum()*len(h), where='mid', label=name)
    axes[0].set(xlabel='blending weight', ylabel='density', title='Distribution', ylim=0); axes[0].legend()
    if std is not None:
        e = np.arange(1, len(std)+1)
        axes[1].plot(e, std, label='deviation of the weights')
        if exemplar is not None: axes[1].plot(e, [np.nan if v is None else v for v in exemplar], label='mean weight of exemplars')
        axes[1].axhline(1/math.sqrt(12), ls=':', c='gray', label='deviation of mixup, Beta(1,1)')
        axes[1].set(xlabel='epoch', title='Over the epochs', ylim=(0, 1)); axes[1].legend(fontsize=8)
    return fig
