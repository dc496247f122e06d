#pragma once

#include "gpu/dnn/primitives.hpp"

namespace troupe::gpu::dnn {

/// to = a + b, then max(·, 0) if `relu`; all f32 or all bf16, of one description, whatever its layout. `to` may be an
/// input.
void sum(const memory& a, const memory& b, const memory& to, bool relu);

} // namespace troupe::gpu::dnn
