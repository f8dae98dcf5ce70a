// SPDX-License-Identifier: LGPL-2.1-or-later
// Statistics of a result for the group norm that reads it: for every image, tile of pixels and channel the
// mean and the sum of squares about it, as ((image * tiles + tile) * channels + channel) pairs. Pairs are put
// together by Chan's formula, so that nothing cancels.

// The mean of the first `count` values of an array of `size`, and the squares about it. Loops run to `size`,
// a constant, so that the array stays in registers.
#define MEASURE(values, size, count, pair)                                                                   \
    {                                                                                                        \
        float sum_ = 0.0, squares_ = 0.0;                                                                    \
        for (uint i_ = 0; i_ < (size); i_++)                                                                 \
            sum_ += i_ < (count) ? values[i_] : 0.0;                                                         \
        float mean_ = sum_ / float(max(count, 1u));                                                          \
        for (uint i_ = 0; i_ < (size); i_++) {                                                               \
            float d_ = i_ < (count) ? values[i_] - mean_ : 0.0;                                              \
            squares_ += d_ * d_;                                                                             \
        }                                                                                                    \
        pair = vec2(mean_, squares_);                                                                        \
    }

// How many of the `size` pixels from `first` on there are.
uint pixels_here(uint pixels, uint first, uint size)
{
    return first < pixels ? min(size, pixels - first) : 0u;
}
