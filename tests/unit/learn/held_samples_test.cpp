#include "learn/data/held_samples.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <numeric>

#include "learn/data/digits.hpp"
#include "learn/data/random_images.hpp"

using namespace troupe::learn;

namespace {

struct copied {
  std::vector<std::byte> values;
  std::vector<int32_t> labels;
};

/// Samples as another process would get them.
stored_samples sent(const dataset& from, const std::vector<uint32_t>& ids) {
  const auto bytes = from.form().bytes(from.shape());
  auto all = std::make_shared<copied>();
  all->values.resize(ids.size() * bytes);
  for (size_t i = 0; i < ids.size(); ++i) {
    from.read_stored(ids[i], all->values.data() + i * bytes);
    all->labels.push_back(from.label(ids[i]));
  }
  return {all->values.data(), all->labels.data(), all};
}

std::vector<uint32_t> ids_from(uint32_t first, uint32_t last) {
  std::vector<uint32_t> ids(last - first);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

held_samples nothing_of(const dataset& set) {
  return held_samples{{set.size(), set.shape(), set.classes(), set.form()}};
}

std::vector<float> floats_of(const dataset& set, uint32_t id) {
  std::vector<float> values(set.shape().size());
  set.read(id, values.data());
  return values;
}

void check_alike(const dataset& held, const dataset& original, const std::vector<uint32_t>& ids) {
  for (const auto id : ids) {
    const auto a = floats_of(held, id);
    const auto b = floats_of(original, id);
    CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
    CHECK(held.label(id) == original.label(id));
  }
}

const digits drawn{3, digits::split::train};

} // namespace

TEST_CASE("held samples are read with the bits of the original, whether it stores bytes or floats") {
  const random_images noise{{3, 5, 7}, 4, 9, random_images::split::train};
  CHECK(drawn.form().bytes(drawn.shape()) == 784);
  CHECK(noise.form().bytes(noise.shape()) == 3 * 5 * 7 * sizeof(float));
  for (const dataset* set : {static_cast<const dataset*>(&drawn), static_cast<const dataset*>(&noise)}) {
    auto held = nothing_of(*set);
    held.keep(id_range{10, 20}, sent(*set, ids_from(10, 20)));
    const std::vector<uint32_t> singles{3, 400, 21};
    held.keep(singles, sent(*set, singles), 0);
    const std::vector<uint32_t> all{400, 10, 19, 3, 15, 21};
    const auto pinned = held.pin(all);
    REQUIRE(pinned.samples);
    CHECK(pinned.missing.empty());
    check_alike(*pinned.samples, *set, all);
    std::vector<float> images(all.size() * set->shape().size());
    std::vector<int32_t> labels(all.size());
    gather_augmented(*pinned.samples, all, {.padding = 1, .flip = true}, 5, 2, images.data(), labels.data());
    std::vector<float> expected(images.size());
    gather_augmented(*set, all, {.padding = 1, .flip = true}, 5, 2, expected.data(), labels.data());
    CHECK(std::memcmp(images.data(), expected.data(), images.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("what is missing is named, in the order in which it was asked for") {
  auto held = nothing_of(drawn);
  held.keep(id_range{10, 20}, sent(drawn, ids_from(10, 20)));
  const auto pinned = held.pin(std::vector<uint32_t>{20, 10, 9, 19, 5});
  CHECK_FALSE(pinned.samples);
  CHECK(pinned.missing == std::vector<uint32_t>{20, 9, 5});
}

TEST_CASE("what is dropped stays with whoever has begun to read it, and with nobody else") {
  auto held = nothing_of(drawn);
  auto memory = std::weak_ptr<const void>{};
  {
    const auto shard = sent(drawn, ids_from(10, 20));
    memory = shard.owner;
    held.keep(id_range{10, 20}, shard);
  }
  auto pinned = held.pin(std::vector<uint32_t>{12});
  held.drop({10, 20});
  CHECK(held.pin(std::vector<uint32_t>{12}).missing == std::vector<uint32_t>{12});
  check_alike(*pinned.samples, drawn, {12});
  pinned = {};
  CHECK(memory.expired());
  CHECK(held.bytes() == 0);
}

TEST_CASE("single samples are held for the latest step that needs them, and no longer") {
  auto held = nothing_of(drawn);
  const std::vector<uint32_t> first{1, 2};
  const std::vector<uint32_t> second{2, 3};
  held.keep(first, sent(drawn, first), 4);
  held.keep(second, sent(drawn, second), 5);
  CHECK(held.bytes() == 3 * (784 + sizeof(int32_t)));
  held.drop_before(5);
  CHECK(held.pin(std::vector<uint32_t>{1, 2, 3}).missing == std::vector<uint32_t>{1});
  held.drop_before(6);
  CHECK(held.bytes() == 0);
}

TEST_CASE("a part of a shard is handed on as it is stored; what goes beyond the shard is not") {
  auto held = nothing_of(drawn);
  held.keep(id_range{10, 20}, sent(drawn, ids_from(10, 20)));
  const auto part = held.part({13, 20});
  REQUIRE(part.values);
  const auto expected = sent(drawn, ids_from(13, 20));
  CHECK(std::memcmp(part.values, expected.values, size_t{7} * 784) == 0);
  CHECK(std::memcmp(part.labels, expected.labels, 7 * sizeof(int32_t)) == 0);
  CHECK(held.part({13, 21}).values == nullptr);
  CHECK(held.part({9, 12}).values == nullptr);
}
