// Every kernel against its definition, on odd sizes and in the middle of a flat buffer.

#include <catch2/catch_test_macros.hpp>

#include "tests/gpu/gpu.hpp"
#include "tests/gpu/kernel_cases.hpp"

using namespace troupe::gpu;

TEST_CASE("each kernel computes what its definition says", "[gpu]") {
  const auto dev = first_gpu();
  const auto stream = open(*dev);
  for (const size_t n : {1u, 3u, 4u, 17u, 1000u, 16385u, 100'003u, 1'048'583u})
    DYNAMIC_SECTION("n = " << n) {
      for (const auto& c : kernel_cases(n))
        for (const size_t offset : {0u, 1u}) {
          if (offset > 0 && c.name.starts_with("matmul")) // a row of a weight is no slice that begins anywhere
            continue;
          INFO(c.name << ", offset = " << offset);
          const auto results = run_case(
            *dev, stream, c, [&] { finish(*stream); }, offset);
          if (!results)
            FAIL(results.error().sentence);
          const auto wrong = problems(c, *results);
          INFO(wrong);
          CHECK(wrong.empty());
        }
    }
}

TEST_CASE("reductions give the same bits every time, wherever the buffer begins", "[gpu]") {
  const auto dev = first_gpu();
  const auto stream = open(*dev);
  for (const auto& c : kernel_cases(1'048'583)) {
    if (!c.name.starts_with("total") && !c.name.starts_with("sum of") && !c.name.starts_with("cross-entropy"))
      continue;
    INFO(c.name);
    const auto first = run_case(*dev, stream, c, [&] { finish(*stream); });
    REQUIRE(first);
    for (size_t offset = 0; offset < 4; ++offset)
      CHECK(run_case(
              *dev, stream, c, [&] { finish(*stream); }, offset)
              .value()
              .back() == first->back());
  }
}
