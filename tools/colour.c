#include <math.h>

#include "canvas.h"

// "magma" (van der Walt and Smith 2015, CC0) at 17 places: lightness grows evenly, and it survives grey and
// colour-blind eyes.
static const canvas_colour heat[] = {
    0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779,
    0xd0416f, 0xe75263, 0xf56b5c, 0xfc8961, 0xfea772, 0xfec488, 0xfde2a3, 0xfcfdbf,
};

canvas_colour canvas_heat(double value)
{
    enum { LAST = sizeof(heat) / sizeof(heat[0]) - 1 };
    double at = value > 0 ? fmin(value, 1) * LAST : 0; // NaN: dark
    int i = at < LAST ? (int)at : LAST - 1;
    canvas_colour mixed = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double low = (heat[i] >> shift) & 255, high = (heat[i + 1] >> shift) & 255;
        mixed |= (canvas_colour)lrint(low + (at - i) * (high - low)) << shift;
    }
    return mixed;
}

// Okabe and Ito's palette, which colour-blind readers can tell apart, without its yellow, which white hides.
canvas_colour canvas_line_colour(int index)
{
    static const canvas_colour colours[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00,
                                            0x56b4e9, 0x444444, 0x882255, 0x999933};
    return colours[index % (int)(sizeof(colours) / sizeof(colours[0]))];
}
