// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusion/guidance.h"

#include "test.h"

TEST(two_conventions)
{
    double u = 0.3, c = -0.8;
    struct ebb_guidance g;
    double w[EBB_GUIDANCE_LABELS + 1];
    ebb_guidance_default(&g);
    REQUIRE(ebb_guidance_weights(&g, 0.5, w) == 1); // none: the base is not asked
    REQUIRE(w[0] == 0 && w[1] == 1);

    for (double strength = 0.5; strength < 8; strength *= 2) {
        g.scale = 1 + strength;
        REQUIRE(ebb_guidance_weights(&g, 0.5, w) == 2);
        REQUIRE_NEAR(w[0] * u + w[1] * c, (1 + strength) * c - strength * u, 1e-12, "w");
        REQUIRE_NEAR(w[0] * u + w[1] * c, u + g.scale * (c - u), 1e-12, "g");
    }
}

TEST(interval_and_mixture)
{
    struct ebb_guidance g;
    double w[EBB_GUIDANCE_LABELS + 1];
    ebb_guidance_default(&g);
    g.scale = 3;
    g.from = 0.2;
    g.to = 0.6;
    g.labels = 2;
    g.share[0] = 3;
    g.share[1] = 1;
    REQUIRE(ebb_guidance_weights(&g, 0.4, w) == 3);
    REQUIRE_NEAR(w[0], -2, 1e-12, "base");
    REQUIRE_NEAR(w[1], 2.25, 1e-12, "first label");
    REQUIRE_NEAR(w[2], 0.75, 1e-12, "second label");
    REQUIRE(ebb_guidance_weights(&g, 0.7, w) == 2);
    REQUIRE_NEAR(w[0], 0, 0, "base outside");
    REQUIRE_NEAR(w[1] + w[2], 1, 1e-12, "labels outside");
    REQUIRE(ebb_guidance_weights(&g, 0.1, w) == 2);
}

TEST(rescale)
{
    struct ebb_guidance g;
    ebb_guidance_default(&g);
    REQUIRE_NEAR(ebb_guidance_rescaled(&g, 1, 4), 1, 0, "off");
    g.rescale = 1;
    REQUIRE_NEAR(ebb_guidance_rescaled(&g, 1, 4), 0.25, 1e-12, "whole");
    g.rescale = 0.7;
    REQUIRE_NEAR(ebb_guidance_rescaled(&g, 1, 4), 0.7 * 0.25 + 0.3, 1e-12, "Lin's 0.7");
    REQUIRE_NEAR(ebb_guidance_rescaled(&g, 1, 0), 1, 0, "silence");
}

// Whatever is predicted, eps falls by scale * sigma * grad.
TEST(classifier)
{
    double alpha = 0.8, sigma = 0.6, x = 0.4, out = 0.2, grad = -1.7, scale = 2;
    for (int p = 0; p < EBB_PREDICTIONS; p++) {
        struct ebb_prediction_weights w = ebb_prediction_to_eps(p, alpha, sigma, 0.5);
        double more = out + ebb_guidance_of_classifier(scale, p, alpha, sigma, 0.5) * grad;
        REQUIRE_NEAR((w.x * x + w.out * more) - (w.x * x + w.out * out), -scale * sigma * grad, 1e-12,
                     ebb_prediction_name(p));
    }
}

static void refused(const struct ebb_guidance *g, const char *word)
{
    struct ebb_error error = {0};
    REQUIRE(ebb_guidance_check(g, &error) == EBB_INVALID);
    if (!strstr(error.message, word))
        TEST_FAIL("\"%s\" does not say \"%s\"", error.message, word);
}

TEST(bad_guidance_is_refused)
{
    struct ebb_guidance good;
    ebb_guidance_default(&good);
    REQUIRE(ebb_guidance_check(&good, NULL) == EBB_OK);
#define BAD(field, value, word)                                                                              \
    do {                                                                                                     \
        struct ebb_guidance g = good;                                                                        \
        g.field = (value);                                                                                   \
        refused(&g, word);                                                                                   \
    } while (0)
    BAD(scale, NAN, "guidance is");
    BAD(scale, -1, "0 to 1000");
    BAD(from, NAN, "from");
    BAD(to, 1.5, "to");
    BAD(rescale, 2, "rescale");
    BAD(labels, 0, "1 to 7");
    BAD(labels, 8, "1 to 7");
    BAD(share[0], 0, "share 0");
    BAD(share[0], -1, "share");
}

TEST(a_classifier_moves_the_clean_estimate_by_no_more_than_1)
{
    // eps' = eps - sigma grad moves x_0 = (x - sigma eps) / alpha by sigma^2 / alpha grad.
    const double levels[][2] = {{0.9, 0.1}, {0.6, 0.8}, {5e-5, 1}, {1, 80}};
    for (int i = 0; i < 4; i++)
        for (double rms = 1e-6; rms < 10; rms *= 7) {
            double alpha = levels[i][0], sigma = levels[i][1];
            double moved = sigma * sigma / alpha * rms * ebb_guidance_bound(rms, alpha, sigma);
            REQUIRE_NEAR(moved, fmin(1, sigma * sigma / alpha * rms), 1e-12, "moved");
        }
    REQUIRE(ebb_guidance_bound(0, 0.5, 0.5) == 1);
}

TEST(scales_of_a_classifier_are_checked)
{
    struct ebb_guidance g;
    struct ebb_error error;
    ebb_guidance_default(&g);
    REQUIRE(g.classifier == 0);
    const double wrong[] = {-1e-9, 1001, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        g.classifier = wrong[i];
        REQUIRE(ebb_guidance_check(&g, &error) == EBB_INVALID &&
                strstr(error.message, "classifier guidance is"));
    }
    g.classifier = 1000;
    REQUIRE(ebb_guidance_check(&g, &error) == EBB_OK);
}

TEST_MAIN
