// SPDX-License-Identifier: LGPL-2.1-or-later
// Predictions as weights. Each is converted to x_0 first.
#include <ebb/schedule.h>

#include <math.h>

struct edm {
    double skip, out;
};

// Preconditioning of Karras 2022, table 1, for a state x / alpha at noise ratio sigma / alpha.
static struct edm edm_weights(double alpha, double sigma, double sigma_data, double sign)
{
    double s = sigma / alpha, d = sigma_data;
    return (struct edm){d * d / (s * s + d * d) / alpha, sign * s * d / sqrt(s * s + d * d)};
}

struct ebb_prediction_weights ebb_prediction_to_x0(enum ebb_prediction prediction, double alpha, double sigma,
                                                   double sigma_data)
{
    double unit = alpha * alpha + sigma * sigma; // 1 where variance is preserved
    switch (prediction) {
    case EBB_PREDICT_EPS: return (struct ebb_prediction_weights){1 / alpha, -sigma / alpha};
    case EBB_PREDICT_V: return (struct ebb_prediction_weights){alpha / unit, -sigma / unit};
    case EBB_PREDICT_SCORE: return (struct ebb_prediction_weights){1 / alpha, sigma * sigma / alpha};
    case EBB_PREDICT_FLOW:
        return (struct ebb_prediction_weights){1 / (alpha + sigma), -sigma / (alpha + sigma)};
    case EBB_PREDICT_EDM:
    case EBB_PREDICT_EDM_V: {
        struct edm w = edm_weights(alpha, sigma, sigma_data, prediction == EBB_PREDICT_EDM ? 1 : -1);
        return (struct ebb_prediction_weights){w.skip, w.out};
    }
    default: return (struct ebb_prediction_weights){0, 1}; // x_0 itself
    }
}

struct ebb_prediction_weights ebb_prediction_to_eps(enum ebb_prediction prediction, double alpha,
                                                    double sigma, double sigma_data)
{
    double unit = alpha * alpha + sigma * sigma;
    switch (prediction) {
    case EBB_PREDICT_EPS: return (struct ebb_prediction_weights){0, 1};
    case EBB_PREDICT_V: return (struct ebb_prediction_weights){sigma / unit, alpha / unit};
    case EBB_PREDICT_SCORE: return (struct ebb_prediction_weights){0, -sigma};
    case EBB_PREDICT_FLOW:
        return (struct ebb_prediction_weights){1 / (alpha + sigma), alpha / (alpha + sigma)};
    default: {
        struct ebb_prediction_weights x0 = ebb_prediction_to_x0(prediction, alpha, sigma, sigma_data);
        return (struct ebb_prediction_weights){(1 - alpha * x0.x) / sigma, -alpha * x0.out / sigma};
    }
    }
}

struct ebb_prediction_weights ebb_prediction_from_x0(enum ebb_prediction prediction, double alpha,
                                                     double sigma, double sigma_data)
{
    switch (prediction) {
    case EBB_PREDICT_EPS: return (struct ebb_prediction_weights){1 / sigma, -alpha / sigma};
    case EBB_PREDICT_X0: return (struct ebb_prediction_weights){0, 1};
    case EBB_PREDICT_V:
        return (struct ebb_prediction_weights){alpha / sigma, -(alpha * alpha + sigma * sigma) / sigma};
    case EBB_PREDICT_SCORE:
        return (struct ebb_prediction_weights){-1 / (sigma * sigma), alpha / (sigma * sigma)};
    case EBB_PREDICT_FLOW: return (struct ebb_prediction_weights){1 / sigma, -(alpha + sigma) / sigma};
    default: {
        struct ebb_prediction_weights x0 = ebb_prediction_to_x0(prediction, alpha, sigma, sigma_data);
        return (struct ebb_prediction_weights){-x0.x / x0.out, 1 / x0.out};
    }
    }
}

const char *ebb_prediction_name(enum ebb_prediction prediction)
{
    static const char *const names[EBB_PREDICTIONS] = {
        [EBB_PREDICT_EPS] = "epsilon", [EBB_PREDICT_X0] = "sample", [EBB_PREDICT_V] = "v_prediction",
        [EBB_PREDICT_SCORE] = "score", [EBB_PREDICT_FLOW] = "flow", [EBB_PREDICT_EDM] = "edm",
        [EBB_PREDICT_EDM_V] = "edm-v",
    };
    return (unsigned)prediction < EBB_PREDICTIONS ? names[prediction] : NULL;
}
