#include "model/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "model/convert.h"
#include "model/file.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "model/sha256.h"

enum { MAX_SHARDS = 256 };

struct part { // one file
    char *name;
    struct ebb_safetensors header;
    struct ebb_wanted **targets; // per tensor; NULL: not for us
    char expected[65], sum[65];
};

struct ebb_tensors {
    char *folder;
    struct part parts[MAX_SHARDS];
    int count;
};

// ---- opening ----

static enum ebb_result add_part(struct ebb_tensors *t, const char *name, struct ebb_error *error)
{
    struct part *part = &t->parts[t->count++];
    char *path = ebb_path_join(t->folder, name);
    part->name = strdup(name);
    enum ebb_result result = path && part->name ? EBB_OK : EBB_OUT_OF_MEMORY;
    if (result)
        ebb_fail(error, result, "%s: no memory", t->folder);
    else
        result = ebb_safetensors_open(&part->header, path, error);
    if (!result && !(part->targets = ebb_alloc((size_t)part->header.count, sizeof(*part->targets))))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    free(path);
    return result;
}

static struct part *find_part(struct ebb_tensors *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->parts[i].name, name) == 0)
            return &t->parts[i];
    return NULL;
}

static bool plain_name(const char *name)
{
    return *name && *name != '.' && !strpbrk(name, "/\\") && strlen(name) < 200;
}

static bool has_tensor(const struct part *part, const char *name)
{
    for (int i = 0; i < part->header.count; i++)
        if (strcmp(part->header.tensors[i].name, name) == 0)
            return true;
    return false;
}

// Every tensor of the map is in its shard, and the shards hold nothing else.
static enum ebb_result read_map(struct ebb_tensors *t, const struct ebb_json *j, struct ebb_error *error)
{
    struct ebb_json map = ebb_json_object(j, "weight_map");
    const char *name;
    json_t *file;
    char shown[96];
    if (!map.object)
        ebb_json_refuse(j, "weight_map", EBB_CORRUPT, "an object of file names");
    json_object_foreach(map.object, name, file) {
        const char *shard = json_string_value(file);
        if (!shard || !plain_name(shard))
            ebb_json_refuse(&map, name, EBB_CORRUPT, "the name of a file in the same folder");
        else if (!find_part(t, shard) && t->count == MAX_SHARDS)
            ebb_json_refuse(&map, name, EBB_CORRUPT, "at most %d files", MAX_SHARDS);
        if (j->file->result)
            return j->file->result;
        enum ebb_result result = find_part(t, shard) ? EBB_OK : add_part(t, shard, error);
        if (result)
            return result;
        if (!has_tensor(find_part(t, shard), name))
            return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is not in %s", j->file->path,
                            ebb_tensor_printable(name, shown), shard);
    }
    for (int i = 0; i < t->count; i++)
        for (int k = 0; k < t->parts[i].header.count; k++)
            if (!json_object_get(map.object, t->parts[i].header.tensors[k].name))
                return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" of %s is not listed", j->file->path,
                                ebb_tensor_printable(t->parts[i].header.tensors[k].name, shown), t->parts[i].name);
    return j->file->result;
}

static enum ebb_result open_shards(struct ebb_tensors *t, const char *name, struct ebb_error *error)
{
    struct ebb_json_file file;
    enum ebb_result result = ebb_json_read_in(&file, t->folder, name, NULL, error);
    if (result)
        return result;
    struct ebb_json root = ebb_json_root(&file);
    result = read_map(t, &root, error);
    ebb_json_close(&file);
    return result;
}

static enum ebb_result open_files(struct ebb_tensors *t, struct ebb_error *error)
{
    static const struct { const char *name; bool index; } names[] = {
        {"diffusion_pytorch_model.safetensors", false},
        {"diffusion_pytorch_model.safetensors.index.json", true},
        {"diffusion_pytorch_model.fp16.safetensors", false},
        {"diffusion_pytorch_model.safetensors.index.fp16.json", true},
        {"diffusion_pytorch_model.bin", false},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = ebb_path_join(t->folder, names[i].name);
        bool there = path && ebb_file_exists(path);
        enum ebb_result result = EBB_OK;
        if (!path)
            result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", t->folder);
        else if (there && strstr(names[i].name, ".bin"))
            result = ebb_fail(error, EBB_UNSUPPORTED, "%s: a Python pickle, expected %s (save the model again with "
                              "safe_serialization)", path, names[0].name);
        else if (there)
            result = names[i].index ? open_shards(t, names[i].name, error) : add_part(t, names[i].name, error);
        free(path);
        if (there || result)
            return result;
    }
    return ebb_fail(error, EBB_NOT_FOUND, "%s/%s: there is no such file", t->folder, names[0].name);
}

struct ebb_tensors *ebb_tensors_open(const char *folder, struct ebb_error *error)
{
    struct ebb_tensors *t = ebb_alloc(1, sizeof(*t));
    if (t && (t->folder = strdup(folder))) {
        if (open_files(t, error) == EBB_OK)
            return t;
    } else {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    }
    ebb_tensors_close(&t);
    return NULL;
}

void ebb_tensors_close(struct ebb_tensors **tensors)
{
    struct ebb_tensors *t = *tensors;
    if (!t)
        return;
    for (int i = 0; i < t->count; i++) {
        ebb_safetensors_clear(&t->parts[i].header);
        free(t->parts[i].targets);
        free(t->parts[i].name);
    }
    free(t->folder);
    free(t);
    *tensors = NULL;
}

// ---- binding ----

// The name that today's diffusers gives a tensor.
static const char *modern(const char *name, char out[256])
{
    static const struct { const char *old, *now; } renames[] = {
        {".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."},
        {"samplers.0.Conv2d_0.", "samplers.0.conv."}, {"samplers.0.op.", "samplers.0.conv."},
        {"time_proj.W", "time_proj.weight"},
    };
    for (size_t i = 0; i < sizeof(renames) / sizeof(renames[0]); i++) {
        const char *at = strstr(name, renames[i].old);
        if (at && strcmp(name, "time_proj.weight") != 0) {
            snprintf(out, 256, "%.*s%s%s", (int)(at - name), name, renames[i].now, at + strlen(renames[i].old));
            return out;
        }
    }
    return name;
}

static bool ignored(const char *name)
{
    return strstr(name, "position_ids") || strstr(name, "num_batches_tracked") || strncmp(name, "ema.", 4) == 0 ||
           strncmp(name, "model_ema.", 10) == 0;
}

static void print_shape(char out[128], int rank, const uint64_t *shape)
{
    size_t used = (size_t)snprintf(out, 128, "(");
    for (int i = 0; i < rank && used < 100; i++)
        used += (size_t)snprintf(out + used, 128 - used, "%s%llu", i ? ", " : "", (unsigned long long)shape[i]);
    snprintf(out + used, 128 - used, ")");
}

static void wanted_shape(const struct ebb_wanted *w, uint64_t shape[4])
{
    shape[0] = (uint64_t)w->weight.cout;
    shape[1] = (uint64_t)w->weight.cin;
    shape[2] = (uint64_t)w->weight.kh;
    shape[3] = (uint64_t)w->weight.kw;
}

// Linear layers may be stored as 1x1 convolutions: old attention blocks were.
static bool same_shape(const struct ebb_tensor *tensor, const struct ebb_wanted *w)
{
    uint64_t shape[4];
    wanted_shape(w, shape);
    bool rank = tensor->rank == w->rank || (w->rank == 2 && tensor->rank == 4);
    for (int i = 0; rank && i < tensor->rank; i++)
        rank = tensor->shape[i] == shape[i];
    return rank;
}

static enum ebb_result check(const struct part *part, const struct ebb_tensor *tensor, const struct ebb_wanted *w,
                             struct ebb_error *error)
{
    if (!same_shape(tensor, w)) {
        char found[128], expected[128];
        uint64_t shape[4];
        wanted_shape(w, shape);
        print_shape(found, tensor->rank, tensor->shape);
        print_shape(expected, w->rank, shape);
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" has shape %s, expected %s as config.json says",
                        part->header.path, w->name, found, expected);
    }
    if (!ebb_convertible(tensor->dtype))
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: tensor \"%s\" is %s, expected F32, F16, BF16 or F64",
                        part->header.path, w->name, tensor->dtype);
    return EBB_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct ebb_wanted *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int named(const void *key, const void *row)
{
    const struct ebb_wanted *const *w = row;
    return strcmp(key, (*w)->name);
}

static enum ebb_result bind_part(struct part *part, struct ebb_wanted **sorted, size_t count, struct ebb_error *error)
{
    char buffer[256], shown[96];
    for (int i = 0; i < part->header.count; i++) {
        const struct ebb_tensor *tensor = &part->header.tensors[i];
        if (ignored(tensor->name))
            continue;
        struct ebb_wanted **row = bsearch(modern(tensor->name, buffer), sorted, count, sizeof(*sorted), named);
        if (!row)
            return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" has no place in the network that config.json describes",
                            part->header.path, ebb_tensor_printable(tensor->name, shown));
        if ((*row)->bound)
            return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is there twice", part->header.path, (*row)->name);
        enum ebb_result result = check(part, tensor, *row, error);
        if (result)
            return result;
        (*row)->bound = true;
        part->targets[i] = *row;
    }
    return EBB_OK;
}

static enum ebb_result check_missing(const struct ebb_tensors *t, const struct ebb_weights *weights,
                                     struct ebb_error *error)
{
    for (int i = 0; i < weights->count; i++) {
        const struct ebb_wanted *w = weights->items[i];
        char expected[128];
        uint64_t shape[4];
        if (w->bound)
            continue;
        wanted_shape(w, shape);
        print_shape(expected, w->rank, shape);
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is missing, expected one of shape %s",
                        t->parts[0].header.path, w->name, expected);
    }
    return EBB_OK;
}

enum ebb_result ebb_tensors_bind(struct ebb_tensors *t, struct ebb_weights *weights, struct ebb_error *error)
{
    size_t count = (size_t)weights->count;
    struct ebb_wanted **sorted = ebb_alloc(count, sizeof(*sorted));
    if (!sorted)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", t->folder);
    memcpy(sorted, weights->items, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_name);

    enum ebb_result result = EBB_OK;
    for (int i = 0; !result && i < t->count; i++)
        result = bind_part(&t->parts[i], sorted, count, error);
    free(sorted);
    return result ? result : check_missing(t, weights, error);
}

// ---- loading ----

static enum ebb_result fill(const struct part *part, const struct ebb_tensor *tensor, struct ebb_wanted *w,
                            const void *bytes, struct ebb_error *error)
{
    size_t cout = (size_t)w->weight.cout, cin = (size_t)w->weight.cin;
    size_t places = (size_t)w->weight.kh * (size_t)w->weight.kw;
    if (!w->data)
        w->data = ebb_alloc(cout * cin, places * sizeof(float));
    float *scratch = ebb_alloc(cin * places, sizeof(float));
    bool room = w->data && scratch, finite = room && ebb_convert(tensor->dtype, bytes, cout, cin, places, scratch, w->data);
    free(scratch);
    if (!room)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for tensor \"%s\"", part->header.path, w->name);
    if (!finite)
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" holds values that are not finite", part->header.path,
                        w->name);
    w->weight.data = w->data;
    return EBB_OK;
}

static uint64_t largest(const struct part *part)
{
    uint64_t size = part->header.data_start;
    for (int i = 0; i < part->header.count; i++) {
        uint64_t bytes = part->header.tensors[i].end - part->header.tensors[i].begin;
        size = bytes > size ? bytes : size;
    }
    return size;
}

// Reads the file once, front to back. What is wrong with a value waits for the sum: a damaged file is the better news.
static enum ebb_result read_part(struct part *part, int fd, void *buffer, struct ebb_error *error)
{
    struct ebb_sha256 sha;
    ebb_sha256_start(&sha);
    enum ebb_result filled = EBB_OK, result = ebb_file_read(fd, buffer, part->header.data_start, part->header.path, error);
    if (!result)
        ebb_sha256_add(&sha, buffer, part->header.data_start);
    for (int i = 0; !result && i < part->header.count; i++) {
        const struct ebb_tensor *tensor = &part->header.tensors[i];
        size_t bytes = (size_t)(tensor->end - tensor->begin);
        result = ebb_file_read(fd, buffer, bytes, part->header.path, error);
        if (result)
            break;
        ebb_sha256_add(&sha, buffer, bytes);
        if (part->targets[i] && !filled)
            filled = fill(part, tensor, part->targets[i], buffer, error);
    }
    if (result)
        return result;

    ebb_sha256_finish(&sha, part->sum);
    if (*part->expected && strcmp(part->expected, part->sum) != 0)
        return ebb_fail(error, EBB_CORRUPT, "%s: the SHA-256 sum is %.16s..., expected %.16s...: the file is damaged",
                        part->header.path, part->sum, part->expected);
    return filled;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum ebb_result load_part(struct part *part, struct ebb_error *error)
{
    struct stat info = {0};
    struct ebb_error local;
    error = error ? error : &local;
    int fd = ebb_file_open(part->header.path, &info, error);
    if (fd < 0)
        return error->code;

    enum ebb_result result;
    void *buffer = NULL;
    if (!same_file(&info, &part->header.info))
        result = ebb_fail(error, EBB_CORRUPT, "%s: the file has changed since the model was opened", part->header.path);
    else if (!(buffer = malloc((size_t)largest(part))))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory to read it", part->header.path);
    else
        result = read_part(part, fd, buffer, error);
    free(buffer);
    close(fd);
    return result;
}

enum ebb_result ebb_tensors_load(struct ebb_tensors *t, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; !result && i < t->count; i++)
        result = load_part(&t->parts[i], error);
    return result;
}

static enum ebb_result add_sum(struct part *part, struct ebb_error *error)
{
    enum { PIECE = 1 << 16 };
    struct stat info = {0};
    struct ebb_error local;
    struct ebb_sha256 sha;
    unsigned char piece[PIECE];
    error = error ? error : &local;
    int fd = ebb_file_open(part->header.path, &info, error);
    if (fd < 0)
        return error->code;

    enum ebb_result result = EBB_OK;
    ebb_sha256_start(&sha);
    for (uint64_t left = (uint64_t)info.st_size; !result && left;) {
        size_t count = left < PIECE ? (size_t)left : PIECE;
        result = ebb_file_read(fd, piece, count, part->header.path, error);
        ebb_sha256_add(&sha, piece, count);
        left -= count;
    }
    ebb_sha256_finish(&sha, part->expected);
    close(fd);
    return result;
}

enum ebb_result ebb_tensors_add_sums(struct ebb_tensors *t, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; !result && i < t->count; i++)
        if (!*t->parts[i].expected)
            result = add_sum(&t->parts[i], error);
    return result;
}

int ebb_tensors_files(const struct ebb_tensors *t)
{
    return t->count;
}

const char *ebb_tensors_file_name(const struct ebb_tensors *t, int index)
{
    return t->parts[index].name;
}

void ebb_tensors_expect(struct ebb_tensors *t, int index, const char *sum)
{
    snprintf(t->parts[index].expected, sizeof(t->parts[index].expected), "%s", sum);
}

const char *ebb_tensors_sum(const struct ebb_tensors *t, int index)
{
    return *t->parts[index].sum ? t->parts[index].sum : t->parts[index].expected;
}

bool ebb_tensors_same(const struct ebb_tensors *a, const struct ebb_tensors *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = same_file(&a->parts[i].header.info, &b->parts[i].header.info) &&
               strcmp(a->parts[i].expected, b->parts[i].expected) == 0;
    return same;
}
