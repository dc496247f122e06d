#include "actors/ring_sums.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "gpu/kernels/chunks.hpp"
#include "gpu/kernels/reduce.hpp"

namespace troupe {
namespace {

// Calls `work(begin, end)` for parts of [0, n), each short enough for kernels not to wake a team of threads for it.
template <class Work>
void by_grains(size_t n, const Work& work) {
  for (size_t begin = 0; begin < n; begin += gpu::kernels::chunk_floats)
    work(begin, std::min(n, begin + gpu::kernels::chunk_floats));
}

void run(gpu::stream& s, bool at_once, gpu::task work) {
  if (at_once)
    work();
  else
    s.enqueue(std::move(work));
}

} // namespace

void ring_sums::clear() {
  for (auto& b : buckets_) {
    b.own.clear();
    b.total = {};
  }
}

ring_sums::own_part ring_sums::assemble(gpu::stream& s, uint32_t bucket, std::vector<std::vector<payload>> parts,
                                        bool apart) {
  auto& b = buckets_[bucket];
  b.own.clear();
  auto there = b.size <= at_once;
  if (parts.size() == 1 && (apart || parts.front().size() == 1)) { // it is there already, and nobody writes to it
    b.own = std::move(parts.front());
    there = true;
  } else if (apart) {
    for (size_t i = 0; i < parts.front().size(); ++i) {
      auto node = std::vector<std::vector<payload>>{};
      for (auto& list : parts)
        node.push_back({list[i]});
      b.own.push_back(together(s, b.size, std::move(node)));
    }
  } else {
    b.own.push_back(together(s, b.size, std::move(parts)));
  }
  return {b.own, there};
}

payload ring_sums::together(gpu::stream& s, size_t size, std::vector<std::vector<payload>> parts) {
  auto result = payload::floats_to_lend(size);
  run(s, size <= at_once, [result, parts = std::move(parts)]() mutable {
    auto* to = result.mutable_floats().data();
    if (parts.front().empty())
      std::memset(to, 0, result.bytes());
    for (auto& list : parts) {
      for (size_t i = 0; i < list.size(); ++i)
        by_grains(list[i].elements(), [&](size_t begin, size_t end) {
          auto* from = list[i].as_floats().data() + begin;
          if (i == 0)
            gpu::kernels::copy(end - begin, from, to + begin);
          else
            gpu::kernels::add(end - begin, from, to + begin);
        });
      to += list.empty() ? 0 : list.front().elements();
    }
  });
  return result;
}

payload& ring_sums::prepared_total(uint32_t bucket) {
  auto& b = buckets_[bucket];
  if (b.total.empty())
    b.total = payload::floats_to_lend(b.size);
  return b.total;
}

ring_sums::sum ring_sums::add(gpu::stream& s, const ring_core::reduce& what) {
  auto n = what.where.size();
  auto result =
    sum{what.last ? prepared_total(what.bucket).part(what.where.first, n) : payload::floats_to_lend(n), n <= at_once};
  run(s, result.there, [left = what.left, right = what.right, to = result.values]() mutable {
    by_grains(to.elements(), [&](size_t i, size_t end) {
      gpu::kernels::sum(end - i, left.as_floats().data() + i, right.as_floats().data() + i,
                        to.mutable_floats().data() + i);
    });
  });
  return result;
}

ring_sums::sum ring_sums::join(gpu::stream& s, const ring_core::join& what) {
  auto left = put(s, what.bucket, what.left, what.where.first);
  auto right = put(s, what.bucket, what.right, what.where.first + what.left.elements());
  return {prepared_total(what.bucket).part(what.where.first, what.where.size()), left && right};
}

void ring_sums::complete(gpu::stream& s, const ring_core::complete& what) {
  auto& b = buckets_[what.bucket];
  if (what.where.size() == b.size && !b.own.empty() && what.values.data() == b.own.front().data())
    b.total = what.values;
  else
    put(s, what.bucket, what.values, what.where.first);
}

// True: it is there.
bool ring_sums::put(gpu::stream& s, uint32_t bucket, const payload& values, size_t first) {
  auto to = prepared_total(bucket).part(first, values.elements());
  if (values.data() == to.data())
    return true; // made there
  auto there = values.elements() <= at_once;
  run(s, there, [from = values, to]() mutable {
    by_grains(to.elements(), [&](size_t i, size_t end) {
      gpu::kernels::copy(end - i, from.as_floats().data() + i, to.mutable_floats().data() + i);
    });
  });
  return there;
}

std::vector<payload> ring_sums::totals() const {
  auto result = std::vector<payload>{};
  for (auto& b : buckets_)
    result.push_back(b.total);
  return result;
}

} // namespace troupe
