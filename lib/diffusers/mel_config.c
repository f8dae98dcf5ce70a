// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/mel_config.h"

#include "base/json.h"

static void read(const struct ebb_json *j, const int size[2], struct ebb_mel_config *config)
{
    struct ebb_mel_params *mel = &config->mel;
    bool sized = size[0] && size[1];
    config->window_frames = ebb_json_int(j, "x_res", sized ? size[1] : 256, 1, 1 << 16);
    mel->n_mels = ebb_json_int(j, "y_res", sized ? size[0] : 256, 1, 1 << 16);
    mel->sample_rate = ebb_json_int(j, "sample_rate", 22050, 1000, 384000);
    mel->n_fft = ebb_json_int(j, "n_fft", 2048, 16, 65536);
    mel->hop = ebb_json_int(j, "hop_length", 512, 1, mel->n_fft);
    mel->fmax = mel->sample_rate / 2.0;
    mel->scale = EBB_MEL_SLANEY;
    mel->norm = EBB_MEL_NORM_SLANEY;
    mel->coding = EBB_MEL_CODING_DIFFUSERS;
    mel->top_db = ebb_json_number(j, "top_db", 80, 1, 400);
}

enum ebb_result ebb_mel_config_read(const char *folder, const int size[2], struct ebb_mel_config *config,
                                    char sum[65], struct ebb_error *error)
{
    struct ebb_json_file file = {0};
    enum ebb_result result = folder ? ebb_json_read_in(&file, folder, "mel_config.json", sum, error) : EBB_OK;
    if (result != EBB_OK)
        return result;

    struct ebb_json j = ebb_json_root(&file);
    *config = (struct ebb_mel_config){0};
    read(&j, size, config);
    result = file.result;
    ebb_json_close(&file);
    return result;
}
