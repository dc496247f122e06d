#include "learn/data/glyphs.hpp"

#include <array>

namespace troupe::learn {

namespace {

// clang-format off

// zero
constexpr point zero_a1[] = {{.50f, .04f}, {.24f, .17f}, {.13f, .50f}, {.24f, .83f}, {.50f, .96f}, {.76f, .83f},
    {.87f, .50f}, {.76f, .17f}, {.50f, .04f}};
constexpr stroke zero_a[] = {zero_a1};
constexpr point zero_b1[] = {{.62f, .07f}, {.36f, .10f}, {.18f, .42f}, {.22f, .80f}, {.46f, .96f}, {.74f, .78f},
    {.82f, .40f}, {.68f, .10f}, {.44f, .05f}};
constexpr stroke zero_b[] = {zero_b1};
constexpr glyph zero[] = {zero_a, zero_b};

// one
constexpr point one_a1[] = {{.50f, .04f}, {.50f, .96f}};
constexpr stroke one_a[] = {one_a1};
constexpr point one_b1[] = {{.26f, .27f}, {.40f, .18f}, {.52f, .04f}};
constexpr point one_b2[] = {{.52f, .04f}, {.52f, .96f}};
constexpr stroke one_b[] = {one_b1, one_b2};
constexpr point one_c1[] = {{.28f, .25f}, {.52f, .05f}};
constexpr point one_c2[] = {{.52f, .05f}, {.52f, .95f}};
constexpr point one_c3[] = {{.28f, .95f}, {.76f, .95f}};
constexpr stroke one_c[] = {one_c1, one_c2, one_c3};
constexpr glyph one[] = {one_a, one_b, one_c};

// two
constexpr point two_a1[] = {{.20f, .26f}, {.34f, .07f}, {.62f, .06f}, {.78f, .25f}, {.67f, .48f}, {.42f, .72f},
    {.18f, .94f}};
constexpr point two_a2[] = {{.18f, .94f}, {.50f, .93f}, {.84f, .94f}};
constexpr stroke two_a[] = {two_a1, two_a2};
constexpr point two_b1[] = {{.22f, .20f}, {.44f, .05f}, {.73f, .13f}, {.74f, .38f}, {.50f, .70f}, {.27f, .91f},
    {.15f, .84f}, {.26f, .75f}, {.52f, .88f}, {.86f, .92f}};
constexpr stroke two_b[] = {two_b1};
constexpr point two_c1[] = {{.18f, .12f}, {.45f, .05f}, {.70f, .12f}, {.74f, .32f}, {.52f, .62f}, {.20f, .95f}};
constexpr point two_c2[] = {{.20f, .95f}, {.82f, .90f}};
constexpr stroke two_c[] = {two_c1, two_c2};
constexpr glyph two[] = {two_a, two_b, two_c};

// three
constexpr point three_a1[] = {{.20f, .15f}, {.45f, .04f}, {.74f, .14f}, {.71f, .37f}, {.42f, .48f}};
constexpr point three_a2[] = {{.42f, .48f}, {.74f, .57f}, {.80f, .80f}, {.52f, .96f}, {.18f, .86f}};
constexpr stroke three_a[] = {three_a1, three_a2};
constexpr point three_b1[] = {{.20f, .07f}, {.50f, .06f}, {.76f, .06f}};
constexpr point three_b2[] = {{.76f, .06f}, {.44f, .42f}};
constexpr point three_b3[] = {{.44f, .42f}, {.74f, .52f}, {.79f, .78f}, {.50f, .96f}, {.17f, .85f}};
constexpr stroke three_b[] = {three_b1, three_b2, three_b3};
constexpr point three_c1[] = {{.18f, .10f}, {.50f, .04f}, {.75f, .17f}, {.66f, .40f}, {.40f, .50f}, {.66f, .55f},
    {.82f, .74f}, {.60f, .94f}, {.20f, .92f}};
constexpr stroke three_c[] = {three_c1};
constexpr glyph three[] = {three_a, three_b, three_c};

// four
constexpr point four_a1[] = {{.30f, .05f}, {.22f, .32f}, {.15f, .58f}};
constexpr point four_a2[] = {{.15f, .58f}, {.50f, .58f}, {.87f, .55f}};
constexpr point four_a3[] = {{.68f, .28f}, {.67f, .60f}, {.64f, .96f}};
constexpr stroke four_a[] = {four_a1, four_a2, four_a3};
constexpr point four_b1[] = {{.62f, .05f}, {.36f, .36f}, {.12f, .66f}};
constexpr point four_b2[] = {{.12f, .66f}, {.50f, .65f}, {.88f, .65f}};
constexpr point four_b3[] = {{.62f, .05f}, {.62f, .96f}};
constexpr stroke four_b[] = {four_b1, four_b2, four_b3};
constexpr point four_c1[] = {{.22f, .08f}, {.18f, .38f}, {.32f, .54f}, {.56f, .50f}, {.76f, .40f}};
constexpr point four_c2[] = {{.78f, .06f}, {.74f, .50f}, {.68f, .96f}};
constexpr stroke four_c[] = {four_c1, four_c2};
constexpr glyph four[] = {four_a, four_b, four_c};

// five
constexpr point five_a1[] = {{.77f, .06f}, {.54f, .07f}, {.30f, .06f}};
constexpr point five_a2[] = {{.30f, .06f}, {.25f, .45f}};
constexpr point five_a3[] = {{.25f, .45f}, {.52f, .37f}, {.79f, .50f}, {.78f, .80f}, {.50f, .96f}, {.18f, .86f}};
constexpr stroke five_a[] = {five_a1, five_a2, five_a3};
constexpr point five_b1[] = {{.78f, .07f}, {.42f, .08f}, {.27f, .28f}, {.42f, .44f}, {.70f, .53f}, {.76f, .76f},
    {.50f, .95f}, {.20f, .90f}};
constexpr stroke five_b[] = {five_b1};
constexpr point five_c1[] = {{.28f, .08f}, {.26f, .42f}};
constexpr point five_c2[] = {{.26f, .42f}, {.56f, .40f}, {.76f, .60f}, {.66f, .88f}, {.36f, .97f}, {.16f, .88f}};
constexpr point five_c3[] = {{.28f, .08f}, {.82f, .04f}};
constexpr stroke five_c[] = {five_c1, five_c2, five_c3};
constexpr glyph five[] = {five_a, five_b, five_c};

// six
constexpr point six_a1[] = {{.70f, .06f}, {.40f, .25f}, {.22f, .60f}, {.30f, .88f}, {.54f, .96f}, {.78f, .82f},
    {.74f, .60f}, {.50f, .53f}, {.26f, .68f}};
constexpr stroke six_a[] = {six_a1};
constexpr point six_b1[] = {{.54f, .04f}, {.32f, .40f}, {.20f, .70f}, {.34f, .93f}, {.62f, .94f}, {.76f, .74f},
    {.62f, .57f}, {.38f, .62f}, {.23f, .78f}};
constexpr stroke six_b[] = {six_b1};
constexpr glyph six[] = {six_a, six_b};

// seven
constexpr point seven_a1[] = {{.15f, .10f}, {.50f, .08f}, {.84f, .08f}};
constexpr point seven_a2[] = {{.84f, .08f}, {.60f, .42f}, {.42f, .96f}};
constexpr stroke seven_a[] = {seven_a1, seven_a2};
constexpr point seven_b1[] = {{.15f, .09f}, {.50f, .08f}, {.82f, .06f}};
constexpr point seven_b2[] = {{.82f, .06f}, {.56f, .46f}, {.40f, .96f}};
constexpr point seven_b3[] = {{.32f, .52f}, {.74f, .48f}};
constexpr stroke seven_b[] = {seven_b1, seven_b2, seven_b3};
constexpr point seven_c1[] = {{.17f, .24f}, {.16f, .09f}};
constexpr point seven_c2[] = {{.16f, .09f}, {.50f, .10f}, {.82f, .06f}};
constexpr point seven_c3[] = {{.82f, .06f}, {.62f, .40f}, {.52f, .96f}};
constexpr stroke seven_c[] = {seven_c1, seven_c2, seven_c3};
constexpr glyph seven[] = {seven_a, seven_b, seven_c};

// eight
constexpr point eight_a1[] = {{.74f, .20f}, {.50f, .05f}, {.27f, .20f}, {.38f, .41f}, {.64f, .56f}, {.78f, .77f},
    {.50f, .96f}, {.22f, .77f}, {.38f, .55f}, {.64f, .40f}, {.74f, .20f}};
constexpr stroke eight_a[] = {eight_a1};
constexpr point eight_b1[] = {{.50f, .46f}, {.30f, .36f}, {.30f, .14f}, {.50f, .05f}, {.70f, .14f}, {.70f, .36f},
    {.50f, .46f}};
constexpr point eight_b2[] = {{.50f, .46f}, {.24f, .60f}, {.24f, .86f}, {.50f, .96f}, {.76f, .86f}, {.76f, .60f},
    {.50f, .46f}};
constexpr stroke eight_b[] = {eight_b1, eight_b2};
constexpr point eight_c1[] = {{.78f, .10f}, {.48f, .06f}, {.28f, .20f}, {.40f, .42f}, {.68f, .62f}, {.70f, .88f},
    {.44f, .96f}, {.24f, .80f}, {.40f, .54f}, {.68f, .34f}, {.80f, .12f}};
constexpr stroke eight_c[] = {eight_c1};
constexpr glyph eight[] = {eight_a, eight_b, eight_c};

// nine
constexpr point nine_a1[] = {{.76f, .26f}, {.56f, .06f}, {.28f, .14f}, {.22f, .38f}, {.42f, .51f}, {.66f, .44f},
    {.76f, .26f}};
constexpr point nine_a2[] = {{.76f, .26f}, {.74f, .60f}, {.64f, .96f}};
constexpr stroke nine_a[] = {nine_a1, nine_a2};
constexpr point nine_b1[] = {{.78f, .12f}, {.48f, .06f}, {.24f, .22f}, {.28f, .46f}, {.54f, .50f}, {.76f, .30f}};
constexpr point nine_b2[] = {{.78f, .12f}, {.78f, .60f}, {.60f, .92f}, {.28f, .92f}};
constexpr stroke nine_b[] = {nine_b1, nine_b2};
constexpr glyph nine[] = {nine_a, nine_b};

constexpr std::array<std::span<const glyph>, 10> all = {zero, one, two, three, four, five, six, seven, eight, nine};
// clang-format on

} // namespace

std::span<const glyph> glyphs_of(int digit) {
  return all[static_cast<size_t>(digit)];
}

} // namespace troupe::learn
