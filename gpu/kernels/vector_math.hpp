#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

/// Elementary functions written without branches or calls, so that loops over them become vector code. All pass NaN on.
namespace troupe::gpu::kernels {

/// e^x to 2 units in the last place. Saturates at 1.2e-38 and 2.4e38 (|x| > 87.3) instead of under- or overflowing.
/// Range reduction and polynomial as in S. Moshier's Cephes library, expf.
inline float exponential(float x) {
  x = x < -87.336544f ? -87.336544f : x;
  x = x > 88.376259f ? 88.376259f : x;
  constexpr float round = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer, found in the low bits
  const float shifted = x * 1.44269504f + round;
  const float n = shifted - round;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * (r * r) + (r + 1);
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(round) + 127;
  return y * std::bit_cast<float>(static_cast<uint32_t>(exponent) << 23);
}

/// tanh(x) to 2e-7 absolute. Polynomial for small x as in Cephes, tanhf; else 1 - 2 / (e^2x + 1).
inline float hyperbolic_tangent(float x) {
  const float magnitude = std::fabs(x);
  const float s = x * x;
  float small = -5.70498872745e-3f;
  small = small * s + 2.06390887954e-2f;
  small = small * s - 5.37397155531e-2f;
  small = small * s + 1.33314422036e-1f;
  small = small * s - 3.33332819422e-1f;
  small = small * s * x + x;
  const float large = std::copysign(1 - 2 / (exponential(2 * magnitude) + 1), x);
  return magnitude < 0.625f ? small : large;
}

/// erf(x) to 2e-7 absolute: Chebyshev fits of erf(x)/x in x² on [0, 1], and of log(erfc(x)) on [1, 4]; 1 beyond.
inline float error_function(float x) {
  const float magnitude = std::fabs(x);
  const float s = x * x;
  float small = 7.882497101e-05f;
  small = small * s - 8.018854990e-04f;
  small = small * s + 5.189311942e-03f;
  small = small * s - 2.685432880e-02f;
  small = small * s + 1.128359746e-01f;
  small = small * s - 3.761262690e-01f;
  small = small * s + 1.283791659e-01f;
  small = small * x + x;
  const float t = magnitude > 4 ? 4 : magnitude;
  float power = 1.615044985e-06f;
  power = power * t - 4.561102034e-05f;
  power = power * t + 5.929505249e-04f;
  power = power * t - 4.741117909e-03f;
  power = power * t + 2.636741527e-02f;
  power = power * t - 1.099833022e-01f;
  power = power * t - 6.319313446e-01f;
  power = power * t - 1.130170294e+00f;
  power = power * t + 3.041767504e-04f;
  const float large = std::copysign(1 - exponential(power), x);
  return magnitude < 1 ? small : large;
}

} // namespace troupe::gpu::kernels
