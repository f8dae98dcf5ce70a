// SPDX-License-Identifier: LGPL-2.1-or-later
// Numbers as in enum ebb_act.
#define ACT_SILU 1u
#define ACT_GELU 2u
#define ACT_RELU 3u
#define ACT_MISH 4u
#define ACT_GELU_TANH 5u
#define ACT_QUICK_GELU 6u
#define ACT_TANH 7u
#define ACT_LEAKY 8u // its slope is not known here: load.glsl

// erf to 1.2e-7 (W. J. Cody's rational forms are longer; this is Numerical Recipes' Chebyshev fit of erfc).
float erf_(float x)
{
    float z = abs(x), t = 1.0 / (1.0 + 0.5 * z);
    float p = 1.48851587 + t * (-0.82215223 + t * 0.17087277);
    p = -1.13520398 + t * p;
    p = 0.27886807 + t * p;
    p = -0.18628806 + t * p;
    p = 0.09678418 + t * p;
    p = 0.37409196 + t * p;
    p = 1.00002368 + t * p;
    float r = 1.0 - t * exp(-z * z - 1.26551223 + t * p);
    return x < 0.0 ? -r : r;
}

float activate(uint act, float x)
{
    switch (act) {
    case ACT_SILU: return x / (1.0 + exp(-x));
    case ACT_GELU: return 0.5 * x * (1.0 + erf_(x * 0.70710678));
    case ACT_RELU: return max(x, 0.0);
    case ACT_MISH: {
        // tanh(log(1 + e^x)) = (u^2 + 2u) / (u^2 + 2u + 2), u = e^x; above 20 it is 1 in float
        float u = exp(min(x, 20.0));
        return x * (u * (u + 2.0)) / (u * (u + 2.0) + 2.0);
    }
    case ACT_GELU_TANH: return x / (1.0 + exp(-1.59576912 * x * (1.0 + 0.044715 * x * x)));
    case ACT_QUICK_GELU: return x / (1.0 + exp(-1.702 * x));
    case ACT_TANH: return 2.0 / (1.0 + exp(-2.0 * x)) - 1.0;
    }
    return x;
}

// The derivative of activate().
float slope(uint act, float x)
{
    switch (act) {
    case ACT_SILU: {
        float s = 1.0 / (1.0 + exp(-x));
        return s * (1.0 + x * (1.0 - s));
    }
    case ACT_GELU: return 0.5 * (1.0 + erf_(x * 0.70710678)) + x * exp(-0.5 * x * x) * 0.39894228;
    case ACT_RELU: return x > 0.0 ? 1.0 : 0.0;
    case ACT_MISH: {
        float u = exp(min(x, 20.0)), t = u * (u + 2.0) / (u * (u + 2.0) + 2.0);
        return t + x * (1.0 - t * t) * u / (1.0 + u);
    }
    case ACT_GELU_TANH: {
        float s = 1.0 / (1.0 + exp(-1.59576912 * x * (1.0 + 0.044715 * x * x)));
        return s + x * s * (1.0 - s) * 1.59576912 * (1.0 + 0.134145 * x * x);
    }
    case ACT_QUICK_GELU: {
        float s = 1.0 / (1.0 + exp(-1.702 * x));
        return s * (1.0 + 1.702 * x * (1.0 - s));
    }
    case ACT_TANH: {
        float t = 2.0 / (1.0 + exp(-2.0 * x)) - 1.0;
        return 1.0 - t * t;
    }
    }
    return 1.0;
}
