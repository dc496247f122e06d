#include <cmath>

#include "learn/safetensors.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::fuzz {
namespace {

learn::layout small_layout() {
  return learn::layout{{{.name = "conv.weight", .dims = {2, 1, 3, 3}},
                        {.name = "bn.running_mean", .dims = {2}, .kind = learn::slice_kind::statistic},
                        {.name = "bn.running_var", .dims = {2}, .kind = learn::slice_kind::statistic}}};
}

} // namespace

void read(std::span<const std::byte> input) {
  static const auto of = small_layout();
  const auto file = file_of{input};
  const auto values = learn::read_safetensors(file.path(), of);
  if (!values)
    return;
  for (const auto v : values->values())
    if (!std::isfinite(v))
      broken("a value that is not finite has been accepted");
}

std::vector<bytes> seeds() {
  const auto of = small_layout();
  const auto folder = test::temporary_folder{};
  const auto path = folder / "w.safetensors";
  auto values = learn::flat{of.size()};
  if (!learn::write_safetensors(path, of, values.values(), 3))
    broken("no safetensors file can be written");
  return {bytes_of(test::text_of(path))};
}

} // namespace troupe::fuzz
