// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading mel/mel_config.json, the config of diffusers' Mel.
#ifndef EBB_DIFFUSERS_MEL_CONFIG_H
#define EBB_DIFFUSERS_MEL_CONFIG_H

#include <ebb/mel.h>

struct ebb_mel_config {
    struct ebb_mel_params mel;
    int window_frames; // "x_res"
};

// Reads the file in `folder`; `folder` NULL: the model has none, and the class defaults hold. `size` is the
// number of bands and frames that the networks were trained on; it replaces values that the file does not
// have; {0, 0}: not known. `sum` receives the SHA-256 of the file, and is left alone where there is no
// file.
enum ebb_result ebb_mel_config_read(const char *folder, const int size[2], struct ebb_mel_config *config,
                                    char sum[65], struct ebb_error *error);

#endif
