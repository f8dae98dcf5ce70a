// SPDX-License-Identifier: LGPL-2.1-or-later
// A state as a mel, and back: without an autoencoder, and through one that works on squares of cells.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/workspace.h"
#include "test.h"
#include "tiny_model.h"

enum { W = 16, H = 16, CELLS = W * H };
enum { BANDS = 128, FRAMES = 64 }; // of tiny-folded

// tests/golden/make_luma.py: rows of r, g, b and what PIL makes of them.
TEST(colours_are_heard_as_their_luma)
{
    struct ebb_model model = {.state = {3, H, W}, .patch = {1, 1}};
    float rows[CELLS][4], state[CELLS][3], mel[CELLS];
    char path[4096];
    snprintf(path, sizeof(path), "%s/golden/luma.f32", getenv("EBB_TEST_DATA"));
    FILE *file = fopen(path, "rb");
    REQUIRE(file && fread(rows, sizeof(rows), 1, file) == 1);
    fclose(file);
    for (int i = 0; i < CELLS; i++)
        for (int k = 0; k < 3; k++)
            state[i][k] = rows[i][k];
    struct ebb_error error;
    REQUIRE(ebb_workspace_decode(&model, state[0], W, mel, &error) == EBB_OK);
    for (int i = 0; i < CELLS; i++)
        REQUIRE_NEAR(mel[i], rows[i][3], 1e-6, "luma");
}

TEST(a_mel_is_grey_and_comes_back)
{
    struct ebb_model model = {.state = {3, H, W}, .patch = {1, 1}};
    float state[CELLS][3], mel[CELLS], back[CELLS];
    struct ebb_error error;
    for (int i = 0; i < CELLS; i++)
        mel[i] = (float)i / (CELLS - 1) * 2 - 1;
    REQUIRE(ebb_workspace_encode(&model, mel, W, state[0], &error) == EBB_OK);
    for (int i = 0; i < CELLS; i++)
        for (int k = 0; k < 3; k++)
            REQUIRE(state[i][k] == mel[i]);
    REQUIRE(ebb_workspace_decode(&model, state[0], W, back, &error) == EBB_OK);
    for (int i = 0; i < CELLS; i++)
        REQUIRE_NEAR(back[i], mel[i], 1e-6, "grey");
}

// Not colours: the cells of a patch, and of more channels than cells the first.
TEST(other_channels_are_cells)
{
    struct ebb_model patched = {.state = {3, 1, 2}, .patch = {3, 1}},
                     bare = {.state = {4, 1, 2}, .patch = {1, 1}};
    const float three[] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, four[] = {0.1f, 9, 9, 9, 0.2f, 9, 9, 9};
    const float cells[] = {0.1f, 0.4f, 0.2f, 0.5f, 0.3f, 0.6f};
    float mel[6];
    struct ebb_error error;
    REQUIRE(ebb_workspace_decode(&patched, three, 2, mel, &error) == EBB_OK);
    REQUIRE(memcmp(mel, cells, sizeof(cells)) == 0);
    REQUIRE(ebb_workspace_decode(&bare, four, 2, mel, &error) == EBB_OK);
    REQUIRE(mel[0] == 0.1f && mel[1] == 0.2f);
}

// tests/golden/make_folded.py: a state, its mel, a mel and its state, by diffusers.
TEST(an_autoencoder_of_squares_agrees_with_diffusers)
{
    enum { COLUMNS = 8, STATE = 16 * COLUMNS * 4, MEL = 128 * 64 };
    static float golden[2][STATE + MEL], mel[MEL], state[STATE];
    char path[4096];
    snprintf(path, sizeof(path), "%s/golden/folded.f32", getenv("EBB_TEST_DATA"));
    FILE *file = fopen(path, "rb");
    REQUIRE(file && fread(golden, sizeof(golden), 1, file) == 1);
    fclose(file);

    struct ebb_model *model = open_tiny("tiny-folded");
    struct ebb_error error;
    REQUIRE(ebb_model_ready(model, &error) == EBB_OK);
    REQUIRE(ebb_workspace_decode(model, golden[0], COLUMNS, mel, &error) == EBB_OK);
    REQUIRE(ebb_workspace_encode(model, golden[1], COLUMNS, state, &error) == EBB_OK);
    for (int i = 0; i < MEL; i++)
        REQUIRE_NEAR(mel[i], golden[0][STATE + i], 1e-5, "mel");
    for (int i = 0; i < STATE; i++)
        REQUIRE_NEAR(state[i], golden[1][MEL + i], 1e-5, "state");

    const float middle = golden[0][STATE + MEL / 2]; // cells below it become silence, the others stay
    static float hushed[MEL];
    model->silence = middle;
    REQUIRE(ebb_workspace_decode(model, golden[0], COLUMNS, hushed, &error) == EBB_OK);
    int silent = 0;
    for (int i = 0; i < MEL; i++) {
        REQUIRE(hushed[i] == (mel[i] < middle ? -1 : mel[i]));
        silent += hushed[i] == -1;
    }
    REQUIRE(silent > 0 && silent < MEL);
    ebb_model_close(&model);
}

// The power of a frame, of its cells that are not below `silence`.
static double frame_power(const float *mel, int frame, float silence, double center, double range)
{
    double sum = 0;
    for (int band = 0; band < BANDS; band++) {
        double value = mel[band * FRAMES + frame];
        sum += value < silence ? 0 : pow(10, (value * range + center) / 10);
    }
    return sum;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// A frame of which less than -80 dB is left above `silence` becomes silence as a whole, and no other does.
TEST(a_faint_frame_is_silence)
{
    static float state[16 * 8 * 4], mel[BANDS * FRAMES], hushed[BANDS * FRAMES];
    double power[FRAMES], sorted[FRAMES];
    for (size_t i = 0; i < sizeof(state) / sizeof(*state); i++)
        state[i] = (float)sin(0.7 * (double)i);
    struct ebb_model *model = open_tiny("tiny-folded");
    struct ebb_error error;
    REQUIRE(ebb_model_ready(model, &error) == EBB_OK);
    REQUIRE(ebb_workspace_decode(model, state, 8, mel, &error) == EBB_OK);

    model->silence = mel[0];
    double range = model->mel.db_range;
    for (int k = 0; k < FRAMES; k++)
        power[k] = sorted[k] = frame_power(mel, k, model->silence, 0, range);
    qsort(sorted, FRAMES, sizeof(*sorted), ascending);
    double middle = sqrt(sorted[FRAMES / 2 - 1] * sorted[FRAMES / 2]); // no frame's
    model->mel.db_center = -80 - 10 * log10(middle);
    REQUIRE(ebb_workspace_decode(model, state, 8, hushed, &error) == EBB_OK);

    int silent = 0;
    for (int k = 0; k < FRAMES; k++) {
        silent += power[k] < middle;
        for (int at = k; at < BANDS * FRAMES; at += FRAMES)
            REQUIRE(hushed[at] == (power[k] < middle || mel[at] < model->silence ? -1 : mel[at]));
    }
    REQUIRE(silent == FRAMES / 2);
    ebb_model_close(&model);
}

TEST_MAIN
