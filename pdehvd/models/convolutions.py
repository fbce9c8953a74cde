"""Convolutions of images and changes of resolution by two, in two and three dimensions.

Convolutions stay outside XLA: TensorFlow's own (oneDNN) are 2 to 6 times as fast on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.pointwise import COMPILED_FROM, compile_pointwise


def convolve(images: Sequence[Tensor], kernel: Tensor, stride: int = 1) -> Tensor:
    """Return the convolution of images [B, *n, C_i], put side by side, with a kernel.

    The kernel is [*k, C_1 + C_2 + .., C], in the images' dtype; zeros continue the images. Putting
    them side by side is never done: the sum of their convolutions is the same and faster.
    """
    found: list[Tensor] = []
    # In turn, and the last first: it is the one that nothing else needs, and is then forgotten.
    for image, part in reversed(list(zip(images, _parts(kernel, images), strict=True))):
        with tf.control_dependencies(found[-1:]):
            found.append(_forward(image, part, stride))
    return found[0] if len(found) == 1 else tf.add_n(found)


def kernel_gradient(images: Sequence[Tensor], kernel: Tensor, g: Tensor, stride: int) -> Tensor:
    """Return the gradient of `convolve`'s kernel from that of its result, g."""
    pairs = zip(images, _parts(kernel, images), strict=True)
    found = [_kernel_gradient(image, part.shape, g, stride) for image, part in pairs]
    return tf.concat(found, axis=-2) if len(found) > 1 else found[0]


def image_gradients(
    images: Sequence[Tensor], kernel: Tensor, g: Tensor, stride: int
) -> list[Tensor]:
    """Return the gradients of `convolve`'s images, whose values do not matter, from g."""
    pairs = zip(images, _parts(kernel, images), strict=True)
    return [_image_gradient(image.shape, part, g, stride) for image, part in pairs]


def spread(image: Tensor, kernel: Tensor) -> Tensor:
    """Return the transposed convolution [B, *2n, C] of an image [B, *n, C_in] with stride two.

    The kernel is [*2, C, C_in]: every pixel becomes a block of two along each axis.
    """

    def run(image: Tensor, kernel: Tensor) -> tuple[Tensor, Callable[..., object]]:
        def backward(g: Tensor) -> tuple[Tensor, Tensor]:
            weight = _kernel_gradient(g, kernel.shape, image, 2)
            with tf.control_dependencies([weight]):
                g = tf.identity(g)
            return _forward(g, kernel, 2), weight

        batch, *nodes, _ = image.shape
        shape = [batch, *(2 * n for n in nodes), kernel.shape[-2]]
        return _image_gradient(shape, kernel, image, 2), backward

    return tf.custom_gradient(run)(image, kernel)


def mix(image: Tensor, kernel: Tensor) -> Tensor:
    """Return the image with channels multiplied by a kernel [C_in, C], pixel by pixel."""
    flat = tf.matmul(tf.reshape(image, [-1, image.shape[-1]]), kernel)
    return tf.reshape(flat, [*image.shape[:-1], kernel.shape[-1]])


def halved(image: Tensor, kind: str) -> Tensor:
    """Return the maximum (`max_pool`) or mean (`average_pool`) of blocks of two along each axis."""
    batch, *nodes, channels = image.shape
    if len(nodes) == 3:
        # There is no pooling of float64 in three dimensions: one axis by hand, then two.
        pairs = tf.reshape(image, [batch * nodes[0] // 2, 2, *nodes[1:], channels])
        first, second = tf.unstack(pairs, axis=1)
        both = tf.maximum(first, second) if kind == "max_pool" else 0.5 * (first + second)
        return tf.reshape(halved(both, kind), [batch, *(n // 2 for n in nodes), channels])
    pool = tf.nn.max_pool2d if kind == "max_pool" else tf.nn.avg_pool2d
    return pool(image, 2, 2, "VALID")


def doubled(image: Tensor, kind: str) -> Tensor:
    """Return the image at twice its resolution: `nearest`, or `bilinear` between pixel centres.

    Bilinear takes 3/4 of the nearest and 1/4 of the next pixel along each axis, and repeats the
    pixels at the ends.
    """
    small = image.shape.num_elements() < COMPILED_FROM

    def passed(function: Callable[..., Tensor], image: Tensor) -> Tensor:
        return function((kind,), image) if small else compile_pointwise(function, (kind,))(image)

    def run(image: Tensor) -> tuple[Tensor, Callable[..., object]]:
        single = kind == "bilinear" and image.dtype == tf.float32 and len(image.shape) == 4
        larger = _resized(image) if single else passed(_doubled, image)
        return larger, lambda g: passed(_doubled_adjoint, g)

    return tf.custom_gradient(run)(image)


def _resized(image: Tensor) -> Tensor:
    """Return a plane in single precision at twice its resolution.

    By an operation that needs nothing besides its result: XLA's program holds three times as much.
    """
    size = [2 * n for n in image.shape[1:3]]
    return tf.raw_ops.ResizeBilinear(images=image, size=size, half_pixel_centers=True)


def coarsened(image: Tensor) -> Tensor:
    """Return the image at half its resolution, interpolated between nodes; its ends stay ends.

    Node j of n lies at node 2 j + j / (n - 1) of 2 n.
    """
    for axis in range(1, len(image.shape) - 1):
        n = image.shape[axis] // 2
        first, second = _pair(image, axis)
        weight = _along(np.arange(n) / (n - 1), image, axis)
        image = first + weight * (second - first)
    return image


def refined(image: Tensor) -> Tensor:
    """Return the image at twice its resolution, interpolated between nodes; its ends stay ends.

    Node i of 2 n lies at node i (n - 1) / (2 n - 1) of n.
    The values at the ends are not used but extrapolated from the two before them: where a condition
    holds there, nothing has trained them.
    """
    for axis in range(1, len(image.shape) - 1):
        n = image.shape[axis]
        image = _extrapolated(image, axis) if n > 3 else image
        lower = tf.concat([_cut(image, axis, 0, 1), _cut(image, axis, 0, n - 1)], axis)
        upper = tf.concat([_cut(image, axis, 1, n - 1), _cut(image, axis, n - 1, 1)], axis)
        before, after = np.arange(n) / (2 * n - 1), np.arange(n)[::-1] / (2 * n - 1)
        pair = [
            image + _along(before, image, axis) * (lower - image),
            image + _along(after, image, axis) * (upper - image),
        ]
        image = _interleaved(pair, axis)
    return image


def _extrapolated(image: Tensor, axis: int) -> Tensor:
    """Return the image with the first and last values of an axis linear in their neighbours."""
    n = image.shape[axis]
    inner = _cut(image, axis, 1, n - 2)
    first = 2 * _cut(inner, axis, 0, 1) - _cut(inner, axis, 1, 1)
    last = 2 * _cut(inner, axis, n - 3, 1) - _cut(inner, axis, n - 4, 1)
    return tf.concat([first, inner, last], axis)


def _cut(image: Tensor, axis: int, start: int, size: int) -> Tensor:
    """Return a slice along one axis."""
    begin = [start if k == axis else 0 for k in range(len(image.shape))]
    sizes = [size if k == axis else n for k, n in enumerate(image.shape)]
    return tf.slice(image, begin, sizes)


def _along(values: np.ndarray, image: Tensor, axis: int) -> Tensor:
    """Return numbers for the nodes of one axis, shaped to multiply an image."""
    shape = [-1 if k == axis else 1 for k in range(len(image.shape))]
    return tf.constant(values.reshape(shape), image.dtype)


def _doubled(options: tuple[str], image: Tensor) -> Tensor:
    for axis in range(1, len(image.shape) - 1):
        pair = [image, image] if options[0] == "nearest" else _quarters(image, axis)
        image = _interleaved(pair, axis)
    return image


def _interleaved(pair: Sequence[Tensor], axis: int) -> Tensor:
    """Return the pixels of two images in turn along an axis."""
    shape = [*pair[0].shape]
    shape[axis] *= 2
    return tf.reshape(tf.stack(pair, axis=axis + 1), shape)


def _pair(image: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return the two images whose pixels are in turn along an axis."""
    shape = [*image.shape]
    shape[axis : axis + 1] = shape[axis] // 2, 2
    first, second = tf.unstack(tf.reshape(image, shape), axis=axis + 1)
    return first, second


def _doubled_adjoint(options: tuple[str], g: Tensor) -> Tensor:
    for axis in range(1, len(g.shape) - 1):
        n = g.shape[axis] // 2
        first, second = _pair(g, axis)
        g = first + second
        if options[0] == "bilinear":
            # What leans on the pixel after, and on the one before; ends lean on themselves.
            after = tf.concat([_cut(first, axis, 1, n - 1), _cut(second, axis, n - 1, 1)], axis)
            before = tf.concat([_cut(first, axis, 0, 1), _cut(second, axis, 0, n - 1)], axis)
            g = 0.75 * g + 0.25 * (after + before)
    return g


def _quarters(image: Tensor, axis: int) -> list[Tensor]:
    """Return 3/4 of each pixel and 1/4 of the one before it, then after it, along an axis."""
    pair = []
    for end, pads in ((0, [1, 0]), (-1, [0, 1])):
        near = np.full(image.shape[axis], 0.75)
        near[end] = 1.0
        padding = [pads if k == axis else [0, 0] for k in range(len(image.shape))]
        start = [pads[1] if k == axis else 0 for k in range(len(image.shape))]
        # Zeros come in at the end, whose pixel counts whole: cheaper than to repeat it.
        neighbour = tf.slice(tf.pad(image, padding), start, image.shape)
        pair.append(_along(near, image, axis) * image + 0.25 * neighbour)
    return pair


def _parts(kernel: Tensor, images: Sequence[Tensor]) -> list[Tensor]:
    """Cut a kernel into those of its images."""
    if len(images) == 1:
        return [kernel]
    result: list[Tensor] = tf.split(
        kernel, [image.shape[-1] for image in images], axis=len(kernel.shape) - 2
    )
    return result


def _strides(image: Tensor, stride: int) -> dict[str, list[int] | str]:
    return {"strides": [1, *[stride] * (len(image.shape) - 2), 1], "padding": "SAME"}


def _forward(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    run: Callable[..., Tensor] = tf.raw_ops.Conv2D if len(image.shape) == 4 else tf.raw_ops.Conv3D
    return run(input=image, filter=kernel, **_strides(image, stride))


def _image_gradient(shape: Sequence[int], kernel: Tensor, g: Tensor, stride: int) -> Tensor:
    plane = len(g.shape) == 4
    run = tf.raw_ops.Conv2DBackpropInput if plane else tf.raw_ops.Conv3DBackpropInputV2
    sizes = tf.constant([*shape], tf.int32)
    return run(input_sizes=sizes, filter=kernel, out_backprop=g, **_strides(g, stride))


def _kernel_gradient(image: Tensor, shape: Sequence[int], g: Tensor, stride: int) -> Tensor:
    plane = len(g.shape) == 4
    run = tf.raw_ops.Conv2DBackpropFilter if plane else tf.raw_ops.Conv3DBackpropFilterV2
    sizes = tf.constant([*shape], tf.int32)
    return run(input=image, filter_sizes=sizes, out_backprop=g, **_strides(g, stride))
