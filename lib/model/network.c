#include "model/network.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/buffer.h"
#include "base/base.h"
#include "model/config.h"

// ---- opening ----

static enum ebb_result create(struct ebb_network *n, struct ebb_json_file *config, const char *wanted, struct ebb_error *error)
{
    struct ebb_json root = ebb_json_root(config);
    enum ebb_result result = EBB_OK;
    const char *class_name = ebb_json_string(&root, "_class_name", "");

    if (strcmp(class_name, "AutoencoderKL") == 0) {
        struct ebb_autoencoder_config vae;
        result = ebb_config_autoencoder(config, &vae);
        if (!result)
            n->vae = ebb_autoencoder_create(&vae, error);
    } else if (strcmp(class_name, "UNet2DModel") == 0) {
        struct ebb_unet_config unet;
        result = ebb_config_unet(config, &unet);
        if (!result)
            n->unet = ebb_unet_create(&unet, error);
    } else if (wanted && strcmp(class_name, "EncoderUNet2DModel") == 0) { // nobody looks at one by itself
        struct ebb_classifier_config classifier;
        result = ebb_config_classifier(config, &classifier);
        if (!result)
            n->classifier = ebb_classifier_create(&classifier, error);
    } else {
        ebb_json_refuse(&root, "_class_name", *class_name ? EBB_UNSUPPORTED : EBB_CORRUPT,
                        "UNet2DModel or AutoencoderKL");
        return config->result;
    }
    if (result || n->unet || n->vae || n->classifier)
        return result;
    ebb_explain(error, "%s", config->path);
    return error->code;
}

static enum ebb_result open_folder(struct ebb_network *n, const char *class_name, struct ebb_error *error)
{
    struct ebb_json_file config;
    enum ebb_result result = ebb_json_read_in(&config, n->folder, "config.json", n->config_sum, error);
    if (result)
        return result;

    struct ebb_json root = ebb_json_root(&config);
    if (class_name && strcmp(ebb_json_string(&root, "_class_name", class_name), class_name) != 0)
        ebb_json_refuse(&root, "_class_name", EBB_UNSUPPORTED, "%s", class_name);
    result = config.result ? config.result : create(n, &config, class_name, error);
    if (n->classifier)
        n->config = config;
    else
        ebb_json_close(&config);
    if (result)
        return result;

    n->tensors = ebb_tensors_open(n->folder, error);
    return n->tensors ? ebb_tensors_bind(n->tensors, ebb_network_weights(n), error) : error->code;
}

struct ebb_network *ebb_network_open(const char *folder, const char *class_name, struct ebb_error *error)
{
    struct ebb_error local;
    error = error ? error : &local;
    struct ebb_network *n = ebb_alloc(1, sizeof(*n));
    if (n && (n->folder = strdup(folder))) {
        n->references = 1;
        if (open_folder(n, class_name, error) == EBB_OK)
            return n;
    } else {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    }
    ebb_network_close(&n);
    return NULL;
}

static void destroy(struct ebb_network *n)
{
    ebb_unet_destroy(&n->unet);
    ebb_autoencoder_destroy(&n->vae);
    ebb_classifier_destroy(&n->classifier);
    if (n->config.root)
        ebb_json_close(&n->config);
    ebb_tensors_close(&n->tensors);
    for (int i = 0; i < n->device_count; i++)
        ebb_device_destroy(&n->devices[i]);
    free(n->devices);
    free(n->folder);
    free(n);
}

struct ebb_weights *ebb_network_weights(const struct ebb_network *n)
{
    if (n->classifier)
        return ebb_classifier_weights(n->classifier);
    return n->unet ? ebb_unet_weights(n->unet) : ebb_autoencoder_weights(n->vae);
}

// ---- sharing: networks whose weights are loaded, by the files they came from ----

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ebb_network *loaded_networks;

void ebb_network_close(struct ebb_network **network)
{
    struct ebb_network *n = *network;
    *network = NULL;
    if (!n)
        return;

    pthread_mutex_lock(&lock);
    bool last = --n->references <= 0;
    for (struct ebb_network **p = &loaded_networks; last && n->listed && *p; p = &(*p)->next)
        if (*p == n) {
            *p = n->next;
            break;
        }
    pthread_mutex_unlock(&lock);
    if (last)
        destroy(n);
}

static bool same(const struct ebb_network *a, const struct ebb_network *b)
{
    return strcmp(a->config_sum, b->config_sum) == 0 && ebb_tensors_same(a->tensors, b->tensors);
}

// What a device packs of the weights must go before the device does. On the host such forms belong to no device.
static enum ebb_result keep_device(struct ebb_network *n, struct ebb_device *device, struct ebb_error *error)
{
    const char *kind = ebb_device_kind(device);
    if (strcmp(kind, "cpu") == 0 || strcmp(kind, "ref") == 0)
        return EBB_OK;
    for (int i = 0; i < n->device_count; i++)
        if (n->devices[i] == device)
            return EBB_OK;
    void *more = realloc(n->devices, (size_t)(n->device_count + 1) * sizeof(struct ebb_device *));
    if (!more)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", n->folder);
    n->devices = more;
    n->devices[n->device_count++] = ebb_device_share(device);
    return EBB_OK;
}

// Under the lock, so that two models that load at once read the files once.
enum ebb_result ebb_network_load(struct ebb_network **network, struct ebb_device *device, struct ebb_error *error)
{
    struct ebb_network *n = *network, *other = n->loaded ? n : NULL;
    enum ebb_result result = EBB_OK;

    pthread_mutex_lock(&lock);
    if (!n->loaded)
        for (other = loaded_networks; other && !same(other, n); other = other->next)
            ;
    if (!other && !(result = ebb_tensors_load(n->tensors, error))) {
        n->loaded = n->listed = true;
        n->next = loaded_networks;
        loaded_networks = other = n;
    }
    if (!result)
        result = keep_device(other, device, error);
    bool swap = !result && other != n;
    other = swap ? other : n;
    other->references += swap;
    pthread_mutex_unlock(&lock);

    if (swap) {
        ebb_network_close(network);
        *network = other;
    }
    return result;
}

// ---- sums ----

void ebb_network_expect(struct ebb_network *n, const struct ebb_json *sums, const char *prefix)
{
    for (int i = 0; i < ebb_tensors_files(n->tensors); i++) {
        char name[256];
        snprintf(name, sizeof(name), "%s%s", prefix, ebb_tensors_file_name(n->tensors, i));
        const char *sum = ebb_json_string(sums, name, NULL);
        if (sum && (strlen(sum) != 64 || strspn(sum, "0123456789abcdef") != 64))
            ebb_json_refuse(sums, name, EBB_CORRUPT, "64 lower-case hex digits");
        else if (sum)
            ebb_tensors_expect(n->tensors, i, sum);
    }
}

enum ebb_result ebb_network_hash(const struct ebb_network *n, struct ebb_sha256 *sha, struct ebb_error *error)
{
    enum ebb_result result = ebb_tensors_add_sums(n->tensors, error);
    ebb_sha256_add(sha, n->config_sum, strlen(n->config_sum));
    for (int i = 0; !result && i < ebb_tensors_files(n->tensors); i++)
        ebb_sha256_add(sha, ebb_tensors_sum(n->tensors, i), 64);
    return result;
}
