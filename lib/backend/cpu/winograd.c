// Convolution 3x3, stride 1, by Winograd's F(4x4, 3x3) or F(2x2, 3x3) (Lavin and Gray 2016): a 6x6 or 4x4 patch of input
// and the kernel are transformed, multiplied point by point (36 or 16 products of matrices, 4 or 2.25 times less work),
// and transformed back to 4x4 or 2x2 outputs. A chunk of tiles at a time: the transformed input stays in the cache.
#include "backend/cpu/winograd.h"

#include <stdlib.h>

#include "base/base.h"

enum { CHUNK_FLOATS = 1 << 18, LEAST_TILES = 8, DEPTH = 16 };

// Panels as for direct convolution, each (points, cin, width).
struct winograd_panels {
    struct ebb_packed packed;
    float *data;
};

static void panels_destroy(struct ebb_packed *packed)
{
    free(((struct winograd_panels *)packed)->data);
    free(packed);
}

static const double G4[6][3] = {{1.0 / 4, 0, 0},
                                {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                {0, 0, 1}};
static const double G2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

// G g G^T, n x n points, for `count` <= DEPTH pairs of channels; `step` floats lie between the kernel's values. out:
// (n * n, DEPTH).
static void transform_kernels(const double G[][3], int n, const float *g, size_t step, int count, float *out)
{
    double rows[6][3][DEPTH];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < 3; j++) {
            const float *top = g + (size_t)j * step, *middle = top + 3 * step, *bottom = middle + 3 * step;
            for (int k = 0; k < count; k++)
                rows[i][j][k] = G[i][0] * top[k] + G[i][1] * middle[k] + G[i][2] * bottom[k];
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++, out += DEPTH)
            for (int k = 0; k < count; k++)
                out[k] = (float)(G[j][0] * rows[i][0][k] + G[j][1] * rows[i][1][k] + G[j][2] * rows[i][2][k]);
}

struct pack_job {
    const struct cpu_device *device;
    const struct ebb_weight *weight;
    float *data;
    int size;
};

static void pack_panel(void *context, int panel, int thread)
{
    const struct pack_job *job = context;
    const struct ebb_weight *weight = job->weight;
    int points = (job->size + 2) * (job->size + 2), width = cpu_panel_width(weight->cout, panel), first = panel * CPU_PANEL;
    int valid = weight->cout - first < width ? weight->cout - first : width;
    size_t cin = (size_t)weight->cin, plane = cin * (size_t)width;
    float *out = job->data + (size_t)points * cin * (size_t)first, block[36 * DEPTH];

    for (int k = 0; k < weight->cin; k += DEPTH) {
        int count = weight->cin - k < DEPTH ? weight->cin - k : DEPTH;
        for (int c = 0; c < valid; c++) {
            transform_kernels(job->size == 4 ? G4 : G2, job->size + 2, weight->data + (size_t)(first + c) * 9 * cin + k, cin,
                              count, block);
            for (int point = 0; point < points; point++)
                for (int i = 0; i < count; i++)
                    out[(size_t)point * plane + (size_t)((k + i) * width + c)] = block[point * DEPTH + i];
        }
    }
}

static struct ebb_packed *panels_make(const struct ebb_weight *weight, void *context)
{
    struct pack_job *job = context;
    struct winograd_panels *panels = ebb_alloc(1, sizeof(*panels));
    size_t points = (size_t)((job->size + 2) * (job->size + 2));
    if (panels)
        panels->data = ebb_host_alloc(points * cpu_panels_floats((size_t)weight->cin, weight->cout));
    if (!panels || !panels->data) {
        free(panels);
        return NULL;
    }
    panels->packed.destroy = panels_destroy;
    job->weight = weight;
    job->data = panels->data;
    cpu_pool_run(job->device->pool, (weight->cout + CPU_PANEL - 1) / CPU_PANEL, pack_panel, job);
    return &panels->packed;
}

static int tiles_of(const struct ebb_tensor *dst, int size)
{
    return ((dst->h + size - 1) / size) * ((dst->w + size - 1) / size);
}

// The transformed weights are 4 or 1.8 times as many to read: that pays when enough tiles use them. What hangs over the
// edge is computed in vain: at most a half.
int winograd_size(const struct ebb_weight *weight, const struct ebb_tensor *dst, int stride, int pad)
{
    if (weight->kh != 3 || weight->kw != 3 || stride != 1 || pad != 1 || weight->cin < 16 || weight->cout < 16)
        return 0;
    for (int size = 4; size >= 2; size -= 2)
        if (tiles_of(dst, size) >= LEAST_TILES && 2 * dst->h * dst->w >= tiles_of(dst, size) * size * size)
            return size;
    return 0;
}

bool winograd_prepare(const struct cpu_device *device, struct winograd *w, int size, struct ebb_weight *weight,
                      const struct ebb_tensor *dst)
{
    static const char owner;
    struct pack_job job = {.device = device, .size = size};
    w->panels = (const struct winograd_panels *)ebb_packed_get(weight, &owner, size, panels_make, &job);
    w->cin = weight->cin;
    w->size = size;
    w->points = (size + 2) * (size + 2);
    w->rows = (dst->h + size - 1) / size;
    w->columns = (dst->w + size - 1) / size;
    w->tiles = dst->n * w->rows * w->columns;
    int chunk = CHUNK_FLOATS / (w->points * w->cin), block = device->kernels->tiles;
    chunk = (chunk / block > 1 ? chunk / block : 1) * block;
    w->chunk = chunk < w->tiles ? chunk : w->tiles;
    w->products = (size_t)w->points * (size_t)block * CPU_PANEL;
    w->transformed = (size_t)w->points * (size_t)w->chunk * (size_t)w->cin;
    w->scratch = w->transformed + (size_t)cpu_pool_threads(device->pool) * w->products;
    return w->panels != NULL;
}

static void transform_tile(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    int tile = job->first + unit, item = tile / (w->rows * w->columns);
    int y = tile / w->columns % w->rows * w->size, x = tile % w->columns * w->size;
    size_t line = (size_t)(w->size * w->columns + 2) * (size_t)w->cin;
    const float *src = job->padded + ((size_t)item * (size_t)(w->size * w->rows + 2) + (size_t)y) * line + (size_t)(x * w->cin);
    (w->size == 4 ? job->kernels->winograd4_in : job->kernels->winograd2_in)(src, line, w->cin, job->scratch + (size_t)unit * (size_t)w->cin, (size_t)w->chunk * (size_t)w->cin);
}

// The outputs of one tile and one panel.
static void store_tile(const struct winograd_job *job, int tile, int panel, const float *products, size_t plane)
{
    const struct winograd *w = job->winograd;
    const struct ebb_tensor *dst = job->dst_shape;
    int item = tile / (w->rows * w->columns);
    int y = tile / w->columns % w->rows * w->size, x = tile % w->columns * w->size;
    int rest = dst->c - panel * CPU_PANEL, width = cpu_panel_width(dst->c, panel);
    size_t channels = (size_t)dst->c;
    size_t at = (((size_t)item * (size_t)dst->h + (size_t)y) * (size_t)dst->w + (size_t)x) * channels + (size_t)panel * CPU_PANEL;
    (w->size == 4 ? job->kernels->winograd4_out : job->kernels->winograd2_out)(&(struct cpu_winograd_out){
        .products = products,
        .plane = plane,
        .out = job->dst + at,
        .residual = job->residual ? job->residual + at : NULL,
        .add = job->add + (size_t)item * job->add_step + (size_t)panel * CPU_PANEL,
        .line = (size_t)dst->w * channels,
        .step = channels,
        .rows = dst->h - y < w->size ? dst->h - y : w->size,
        .pixels = dst->w - x < w->size ? dst->w - x : w->size,
        .columns = rest < width ? rest : width,
        .scale = job->scale,
    });
}

// One panel of a few tiles: all products, then back.
static void multiply_block(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    int block = job->kernels->tiles, blocks = (job->count + block - 1) / block, panel = unit / blocks;
    int from = unit % blocks * block, count = job->count - from < block ? job->count - from : block;
    int width = cpu_panel_width(job->dst_shape->c, panel);
    size_t cin = (size_t)w->cin, plane = (size_t)block * (size_t)width;
    float *products = job->scratch + w->transformed + (size_t)thread * w->products;
    struct cpu_row row = {
        .a = job->scratch + (size_t)from * cin,
        .step = cin,
        .runs = 1,
        .run = w->cin,
        .pixels = count,
        .panel = w->panels->data + (size_t)w->points * cin * (size_t)panel * CPU_PANEL,
        .width = width,
        .columns = width,
        .out = products,
        .out_step = (size_t)width,
        .scale = 1,
    };
    for (int point = 0; point < w->points; point++) {
        job->kernels->row(&row);
        row.a += (size_t)w->chunk * cin;
        row.panel += cin * (size_t)width;
        row.out += plane;
    }
    for (int i = 0; i < count; i++)
        store_tile(job, job->first + from + i, panel, products + (size_t)i * (size_t)width, plane);
}

void winograd_run(struct winograd_job *job)
{
    const struct winograd *w = job->winograd;
    int panels = (job->dst_shape->c + CPU_PANEL - 1) / CPU_PANEL, block = job->kernels->tiles;
    for (job->first = 0; job->first < w->tiles; job->first += w->chunk) {
        job->count = w->tiles - job->first < w->chunk ? w->tiles - job->first : w->chunk;
        cpu_pool_run(job->pool, job->count, transform_tile, job);
        cpu_pool_run(job->pool, panels * ((job->count + block - 1) / block), multiply_block, job);
    }
}
