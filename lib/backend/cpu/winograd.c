// Convolution 3x3, stride 1, by Winograd's F(4x4, 3x3) (Lavin and Gray 2016): a 6x6 patch of input and the kernel are
// transformed, multiplied point by point (36 products of matrices, a quarter of the work), and transformed back to 4x4
// outputs. A chunk of tiles at a time, so that the transformed input stays in the cache.
#include "backend/cpu/winograd.h"

#include <stdlib.h>

#include "base/base.h"

enum { POINTS = 36, CHUNK_FLOATS = 1 << 18 };

// Panels as for direct convolution, each (POINTS, cin, width).
struct winograd_panels {
    struct ebb_packed packed;
    float *data;
};

static void panels_destroy(struct ebb_packed *packed)
{
    free(((struct winograd_panels *)packed)->data);
    free(packed);
}

// G g G^T for one pair of channels; `step` floats lie between the kernel's values, `out_step` between points.
static void transform_kernel(const float *g, size_t step, float *out, size_t out_step)
{
    static const double G[6][3] = {{1.0 / 4, 0, 0},
                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                   {0, 0, 1}};
    double rows[6][3];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 3; j++)
            rows[i][j] = G[i][0] * g[(size_t)j * step] + G[i][1] * g[(size_t)(3 + j) * step] + G[i][2] * g[(size_t)(6 + j) * step];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            out[(size_t)(6 * i + j) * out_step] = (float)(rows[i][0] * G[j][0] + rows[i][1] * G[j][1] + rows[i][2] * G[j][2]);
}

static struct ebb_packed *panels_make(const struct ebb_weight *weight, void *context)
{
    struct winograd_panels *panels = ebb_alloc(1, sizeof(*panels));
    size_t cin = (size_t)weight->cin;
    if (panels)
        panels->data = ebb_host_alloc(POINTS * cpu_panels_floats(cin, weight->cout));
    if (!panels || !panels->data) {
        free(panels);
        return NULL;
    }
    panels->packed.destroy = panels_destroy;
    for (int c = 0; c < weight->cout; c++) {
        int panel = c / CPU_PANEL, width = cpu_panel_width(weight->cout, panel);
        float *out = panels->data + POINTS * cin * (size_t)panel * CPU_PANEL + c % CPU_PANEL;
        for (size_t k = 0; k < cin; k++)
            transform_kernel(weight->data + (size_t)c * 9 * cin + k, cin, out + k * (size_t)width, cin * (size_t)width);
    }
    return &panels->packed;
}

// Pays from 8 tiles an item on: with fewer, reading four times the weights costs more than the products saved.
bool winograd_pays(const struct ebb_weight *weight, const struct ebb_tensor *dst, int stride, int pad)
{
    int tiles = ((dst->h + 3) / 4) * ((dst->w + 3) / 4);
    return weight->kh == 3 && weight->kw == 3 && stride == 1 && pad == 1 && weight->cin >= 16 && weight->cout >= 16 &&
           tiles >= 8 && dst->h * dst->w * 2 >= tiles * 16;
}

bool winograd_prepare(const struct cpu_device *device, struct winograd *w, struct ebb_weight *weight,
                      const struct ebb_tensor *dst)
{
    static const char owner;
    w->panels = (const struct winograd_panels *)ebb_packed_get(weight, &owner, 1, panels_make, NULL);
    w->cin = weight->cin;
    w->rows = (dst->h + 3) / 4;
    w->columns = (dst->w + 3) / 4;
    w->tiles = dst->n * w->rows * w->columns;
    int chunk = CHUNK_FLOATS / (POINTS * w->cin), block = device->kernels->tiles;
    chunk = (chunk / block > 1 ? chunk / block : 1) * block;
    w->chunk = chunk < w->tiles ? chunk : w->tiles;
    w->products = (size_t)POINTS * (size_t)block * CPU_PANEL;
    w->transformed = (size_t)POINTS * (size_t)w->chunk * (size_t)w->cin;
    w->scratch = w->transformed + (size_t)cpu_pool_threads(device->pool) * w->products;
    return w->panels != NULL;
}

static void transform_tile(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    int tile = job->first + unit, item = tile / (w->rows * w->columns);
    int y = tile / w->columns % w->rows * 4, x = tile % w->columns * 4;
    size_t line = (size_t)(4 * w->columns + 2) * (size_t)w->cin;
    const float *src = job->padded + ((size_t)item * (size_t)(4 * w->rows + 2) + (size_t)y) * line + (size_t)(x * w->cin);
    job->kernels->winograd_in(src, line, w->cin, job->scratch + (size_t)unit * (size_t)w->cin,
                              (size_t)w->chunk * (size_t)w->cin);
}

// The 4x4 outputs of one tile and one panel.
static void store_tile(const struct winograd_job *job, int tile, int panel, const float *products, size_t plane)
{
    const struct winograd *w = job->winograd;
    const struct ebb_tensor *dst = job->dst_shape;
    int item = tile / (w->rows * w->columns), y = tile / w->columns % w->rows * 4, x = tile % w->columns * 4;
    int rest = dst->c - panel * CPU_PANEL, width = cpu_panel_width(dst->c, panel);
    size_t channels = (size_t)dst->c;
    size_t at = (((size_t)item * (size_t)dst->h + (size_t)y) * (size_t)dst->w + (size_t)x) * channels + (size_t)panel * CPU_PANEL;
    job->kernels->winograd_out(&(struct cpu_winograd_out){
        .products = products,
        .plane = plane,
        .out = job->dst + at,
        .residual = job->residual ? job->residual + at : NULL,
        .add = job->add + (size_t)item * job->add_step + (size_t)panel * CPU_PANEL,
        .line = (size_t)dst->w * channels,
        .step = channels,
        .rows = dst->h - y < 4 ? dst->h - y : 4,
        .pixels = dst->w - x < 4 ? dst->w - x : 4,
        .columns = rest < width ? rest : width,
        .scale = job->scale,
    });
}

// One panel of a few tiles: 36 products, then back.
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
        .panel = w->panels->data + POINTS * cin * (size_t)panel * CPU_PANEL,
        .width = width,
        .columns = width,
        .out = products,
        .out_step = (size_t)width,
        .scale = 1,
    };
    for (int point = 0; point < POINTS; point++) {
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
