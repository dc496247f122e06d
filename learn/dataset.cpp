#include "learn/dataset.hpp"

#include <fmt/core.h>

#include "learn/data/digits.hpp"

namespace troupe::learn {

expected<data_source> open_data(const std::string& what, uint64_t seed) {
  if (what == "digits")
    return data_source{what, std::make_shared<digits>(seed, digits::split::train),
                       std::make_shared<digits>(seed, digits::split::test)};
  return fail(fmt::format("there is no data set '{}': use digits", what));
}

} // namespace troupe::learn
