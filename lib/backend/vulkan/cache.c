// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ebb/output.h>

#include "base/base.h"
#include "base/fnv.h"

static const char magic[8] = "ebbvk01";
enum { MOST_BYTES = 64 << 20 };

struct cache_head {
    char magic[8];
    uint32_t vendor, device, driver_version;
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t reserved; // 0: no padding, so that heads compare as bytes
    uint64_t size;     // bytes after the head
    uint64_t sum;      // FNV-1a of these bytes: a torn or damaged file never reaches the driver
};

static struct cache_head make_head(const struct ebb_vk *vk, const void *data, size_t size)
{
    struct cache_head head = {.vendor = vk->physical->vendor,
                              .device = vk->physical->device,
                              .driver_version = vk->physical->driver_version,
                              .size = size,
                              .sum = ebb_fnv1a(EBB_FNV1A_START, data, size)};
    memcpy(head.magic, magic, sizeof(magic));
    memcpy(head.uuid, vk->physical->cache_uuid, VK_UUID_SIZE);
    return head;
}

static bool cache_path(const struct ebb_vk *vk, char *folder, char *path, size_t size)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool given = base && *base == '/'; // a relative path counts as none, says the XDG specification
    if (!given && (!home || !*home))
        return false;
    int length = given ? snprintf(folder, size, "%s/ebb", base)
                       : snprintf(folder, size, "%s/.cache/ebb", home);
    if (length < 0 || (size_t)length + 64 > size)
        return false;
    snprintf(path, size, "%s/vulkan-%08x-%08x-%s.bin", folder, vk->physical->vendor, vk->physical->device,
             vk->fp16 ? "f16" : "f32");
    return true;
}

// The bytes after the head, if the file is whole and of this device and driver.
static void *read_body(const struct ebb_vk *vk, FILE *file, size_t *size)
{
    struct cache_head head, want = {0};
    if (fread(&head, sizeof(head), 1, file) != 1 || !head.size || head.size > MOST_BYTES)
        return NULL;
    void *data = ebb_alloc(1, head.size);
    if (data && fread(data, 1, head.size, file) == head.size && fgetc(file) == EOF)
        want = make_head(vk, data, head.size);
    if (data && memcmp(&want, &head, sizeof(head)) == 0) {
        *size = head.size;
        return data;
    }
    free(data);
    return NULL;
}

static void *read_file(const struct ebb_vk *vk, const char *path, size_t *size, const struct ebb_log *log)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    void *data = read_body(vk, file, size);
    fclose(file);
    if (!data)
        ebb_logf(log, EBB_LOG_WARNING, "%s: damaged, or of another driver; shaders are compiled anew", path);
    return data;
}

// Makes ~/.cache as well; both folders may exist already.
static void make_folder(char *folder)
{
    char *slash = strrchr(folder, '/');
    *slash = 0;
    mkdir(folder, 0700);
    *slash = '/';
    mkdir(folder, 0700);
}

static enum ebb_result open_cache(struct ebb_vk *vk, const struct ebb_log *log, struct ebb_error *error)
{
    char folder[1024], path[1024];
    size_t size = 0;
    void *data = NULL;
    if (cache_path(vk, folder, path, sizeof(path))) {
        data = read_file(vk, path, &size, log);
        make_folder(folder);
        if (access(folder, W_OK | X_OK) != 0)
            ebb_logf(log, EBB_LOG_WARNING, "%s: %s; compiled shaders are not kept", folder, strerror(errno));
    }
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                      .initialDataSize = size,
                                      .pInitialData = data};
    vk->vk.CreatePipelineCache(vk->device, &info, NULL, &vk->cache); // a device without a cache works too,
                                                                     // only slower
    ebb_logf(log, EBB_LOG_DEBUG, "Vulkan pipeline cache: %zu bytes", size);
    free(data);
    return EBB_OK;
}

// Two processes may save at once. A pipeline that is not kept is compiled again.
static void write_file(const struct ebb_vk *vk, const char *path, const void *data, size_t size)
{
    struct cache_head head = make_head(vk, data, size);
    struct ebb_output *output = ebb_output_create(path, NULL);
    if (output && ebb_output_write(output, &head, sizeof(head), NULL) == EBB_OK &&
        ebb_output_write(output, data, size, NULL) == EBB_OK)
        ebb_output_finish(output, NULL);
    ebb_output_destroy(&output);
}

static void save(struct ebb_vk *vk)
{
    char folder[1024], path[1024];
    size_t size = 0;
    if (!vk->cache || vk->failure.code != EBB_OK || !cache_path(vk, folder, path, sizeof(path)) ||
        vk->vk.GetPipelineCacheData(vk->device, vk->cache, &size, NULL) != VK_SUCCESS || !size ||
        size > MOST_BYTES)
        return;
    void *data = malloc(size);
    make_folder(folder);
    if (data && vk->vk.GetPipelineCacheData(vk->device, vk->cache, &size, data) == VK_SUCCESS)
        write_file(vk, path, data, size);
    free(data);
}

static void close_cache(struct ebb_vk *vk)
{
    save(vk);
    vk->vk.DestroyPipelineCache(vk->device, vk->cache, NULL);
}

const struct ebb_vk_part ebb_vk_cache_part = {open_cache, close_cache};
