// SPDX-License-Identifier: LGPL-2.1-or-later
// A sum over the workgroup of THREADS invocations, in the same order every time.
layout(local_size_x = THREADS) in;
shared float part[THREADS];

float total(float mine)
{
    part[gl_LocalInvocationIndex] = mine;
    for (uint half_width = THREADS / 2; half_width > 0; half_width >>= 1) {
        barrier();
        if (gl_LocalInvocationIndex < half_width)
            part[gl_LocalInvocationIndex] += part[gl_LocalInvocationIndex + half_width];
    }
    barrier();
    float sum = part[0];
    barrier(); // before the next use overwrites it
    return sum;
}
