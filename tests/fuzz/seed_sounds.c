// SPDX-License-Identifier: LGPL-2.1-or-later
// Writes short sounds in the formats that libsndfile writes, with a comment and a loop where the format has
// them, for the fuzz target `sound` to start from: seed_sounds FOLDER.
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>

enum { FRAMES = 64, RATE = 8000, OPUS_FRAMES = 480 };

static const struct {
    const char *name;
    int format, channels, frames;
} sounds[] = {
    {"wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, FRAMES},
    {"wav-float", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 2, FRAMES},
    {"wav-adpcm", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 1, FRAMES},
    {"wav-extensible", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, 6, FRAMES / 4},
    {"rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 1, FRAMES},
    {"w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 1, FRAMES},
    {"aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1, FRAMES},
    {"au", SF_FORMAT_AU | SF_FORMAT_ULAW, 1, FRAMES},
    {"caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 2, FRAMES},
    {"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1, FRAMES},
    {"vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 1, FRAMES},
    {"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 1, OPUS_FRAMES},
#ifdef SF_FORMAT_MPEG_LAYER_III
    {"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 1, FRAMES},
#endif
};

static void add_loop(SNDFILE *file)
{
    SF_INSTRUMENT loop = {.basenote = 60, .velocity_hi = 127, .key_hi = 127, .loop_count = 1};
    loop.loops[0].mode = SF_LOOP_FORWARD;
    loop.loops[0].end = FRAMES;
    sf_command(file, SFC_SET_INSTRUMENT, &loop, sizeof(loop));
}

static int write_sound(const char *path, int format, int channels, int frames)
{
    float samples[OPUS_FRAMES * 2];
    SF_INFO info = {.samplerate = RATE, .channels = channels, .format = format};
    if (!sf_format_check(&info))
        return 1; // this libsndfile has no such encoder
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    if (!file)
        return 1;
    for (int i = 0; i < frames * channels; i++)
        samples[i] = 0.5F * sinf(0.3F * (float)i);
    sf_set_string(file, SF_STR_COMMENT, "{\"ebb\": 1, \"verb\": \"generate\", \"label\": \"rain\"}");
    sf_set_string(file, SF_STR_TITLE, "rain");
    add_loop(file);
    int bad = sf_writef_float(file, samples, frames) != frames;
    return sf_close(file) || bad;
}

int main(int argc, char **argv)
{
    char path[1000];
    int written = 0;
    for (size_t i = 0; argc == 2 && i < sizeof(sounds) / sizeof(sounds[0]); i++) {
        snprintf(path, sizeof(path), "%s/sound-%s", argv[1], sounds[i].name);
        if (write_sound(path, sounds[i].format, sounds[i].channels, sounds[i].frames) == 0)
            written++;
        else
            remove(path);
    }
    return written == 0;
}
