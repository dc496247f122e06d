#include "messages/shared_memory.hpp"

#include <algorithm>
#include <array>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/byte_buffer.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "messages/memory.hpp"
#include "messages/payload.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

std::shared_ptr<shared_pool> make_pool(shared_pool::options o = {.bytes = 1 << 20}) {
  auto pool = shared_pool::open(std::move(o));
  REQUIRE(pool);
  return {pool->get(), [pool = *pool](shared_pool*) { pool->close(); }};
}

std::shared_ptr<shared_mapping> read_here(const shared_pool& pool) {
  auto mapping = shared_mapping::open(pool.place(), this_process_place());
  INFO((mapping ? "" : mapping.error().sentence));
  REQUIRE(mapping);
  return *mapping;
}

process_id me() {
  return this_process_place().process;
}

std::shared_ptr<std::byte> filled(shared_pool& pool, size_t bytes, int value) {
  auto memory = pool.acquire(bytes);
  REQUIRE(memory);
  std::memset(memory.get(), value, bytes);
  return memory;
}

/// A process of this test's program; killed at the end at the latest.
class child {
public:
  explicit child(const std::function<void(child&)>& body) {
    REQUIRE(::pipe(down_.data()) == 0);
    REQUIRE(::pipe(up_.data()) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      is_child_ = true;
      body(*this);
      for (;;)
        ::pause();
    }
  }
  ~child() { kill(); }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  template <class T>
  void tell(const T& x) {
    auto n = ::write(is_child_ ? up_[1] : down_[1], &x, sizeof(x));
    if (n != sizeof(x))
      ::_exit(1);
  }
  template <class T>
  T hear() {
    auto x = T{};
    auto n = ::read(is_child_ ? down_[0] : up_[0], &x, sizeof(x));
    if (n != sizeof(x) && is_child_)
      ::_exit(1);
    return x;
  }
  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

private:
  pid_t pid_ = -1;
  bool is_child_ = false;
  std::array<int, 2> down_{};
  std::array<int, 2> up_{};
};

/// What of a place another process has to be told: the rest is the same on this host.
struct address {
  process_id process;
  uint32_t control;
  uint32_t data;

  static address of(const process_place& p) { return {p.process, p.control, p.data}; }
  [[nodiscard]] process_place place() const {
    auto result = this_process_place();
    result.process = process;
    result.control = control;
    result.data = data;
    return result;
  }
};

caf::byte_buffer written(const payload& p) {
  auto out = caf::byte_buffer{};
  auto sink = caf::binary_serializer{nullptr, out};
  REQUIRE(sink.apply(p));
  return out;
}

} // namespace

TEST_CASE("what is lent is read in place, and comes back with the last reference") {
  auto pool = make_pool();
  auto mapping = read_here(*pool);
  auto memory = filled(*pool, 10000, 7);
  auto loan = pool->lend(memory, memory.get() + 4096, me());
  REQUIRE(loan);
  auto* lent = memory.get();
  memory.reset();
  auto read = mapping->claim(*loan, 5000);
  REQUIRE(read);
  CHECK(read->get() != lent + 4096); // its own mapping
  CHECK(std::all_of(read->get(), read->get() + 5000, [](auto x) { return x == std::byte{7}; }));
  auto again = *read;
  read->reset();
  pool->reclaim();
  CHECK(pool->used().loans == 1);
  CHECK(pool->used().taken > 0);
  again.reset();
  pool->reclaim();
  CHECK(pool->used().loans == 0);
  CHECK(pool->used().taken == 0);
  CHECK(pool->acquire(10000).get() == lent); // used again
}

TEST_CASE("a descriptor that is wrong in any way is refused, and the right one still holds") {
  auto pool = make_pool();
  auto mapping = read_here(*pool);
  auto memory = filled(*pool, 4096, 1);
  auto right = pool->lend(memory, memory.get(), me());
  REQUIRE(right);
  auto refusal = [&](auto change, size_t bytes = 4096) {
    auto wrong = *right;
    change(wrong);
    auto read = mapping->claim(wrong, bytes);
    REQUIRE_FALSE(read);
    return read.error().sentence;
  };
  CHECK_THAT(refusal([](auto& l) { l.offset = 64; }), ContainsSubstring("not within")); // the pool's own page
  CHECK_THAT(refusal([](auto& l) { l.offset = (1 << 20) + 4096; }), ContainsSubstring("not within"));
  CHECK_THAT(refusal([](auto& l) { l.offset = UINT64_MAX - 63; }), ContainsSubstring("not within"));
  CHECK_THAT(refusal([](auto&) {}, SIZE_MAX), ContainsSubstring("not within"));
  CHECK_THAT(refusal([](auto& l) { l.offset += 4; }), ContainsSubstring("not aligned"));
  CHECK_THAT(refusal([](auto& l) { l.slot = 1 << 20; }), ContainsSubstring("cannot have made"));
  CHECK_THAT(refusal([](auto& l) { l.token = 0; }), ContainsSubstring("cannot have made"));
  CHECK_THAT(refusal([](auto& l) { l.token = UINT64_MAX; }), ContainsSubstring("cannot have made"));
  CHECK_THAT(refusal([](auto& l) { ++l.token; }), ContainsSubstring("has not made"));
  CHECK_THAT(refusal([](auto& l) { ++l.slot; }), ContainsSubstring("has not made"));
  CHECK_THAT(refusal([](auto& l) { ++l.reader.pid; }), ContainsSubstring("not to this one"));
  auto read = mapping->claim(*right, 4096);
  CHECK(read);
  CHECK_THAT(refusal([](auto&) {}), ContainsSubstring("has not made")); // a second time
}

TEST_CASE("a process that cannot share is refused in a sentence that says why") {
  auto pool = make_pool();
  auto refusal = [&](auto change) {
    auto place = pool->place();
    change(place);
    auto mapping = shared_mapping::open(place, this_process_place());
    REQUIRE_FALSE(mapping);
    return mapping.error().sentence;
  };
  CHECK_THAT(refusal([](auto& p) { p.boot = "another"; }), ContainsSubstring("another host"));
  CHECK_THAT(refusal([](auto& p) { p.pids = "pid:[1]"; }), ContainsSubstring("container"));
  CHECK_THAT(refusal([](auto& p) { ++p.user; }), ContainsSubstring("user"));
  CHECK_THAT(refusal([](auto& p) { p.control = 999; }), ContainsSubstring("cannot read"));
  CHECK_THAT(refusal([](auto& p) { p.data = p.control; }), ContainsSubstring("no memory that troupe shares"));
  CHECK_THAT(refusal([](auto& p) { p.data = 0; }), ContainsSubstring("no memory that troupe shares"));
  CHECK_THAT(refusal([](auto& p) { ++p.process.started; }), ContainsSubstring("has it ended"));
  auto fd = ::memfd_create("troupe-data", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(::ftruncate(fd, 1 << 20) == 0);
  CHECK_THAT(refusal([&](auto& p) { p.data = static_cast<uint32_t>(fd); }), ContainsSubstring("not sealed"));
  REQUIRE(::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
  CHECK_THAT(refusal([&](auto& p) { p.data = static_cast<uint32_t>(fd); }), ContainsSubstring("not what it shares"));
  ::close(fd);
  CHECK_FALSE(pool->is_read_by(me()));
  CHECK(::ftruncate(static_cast<int>(pool->place().data), 4096) != 0); // nobody can cut it short
}

TEST_CASE("only who reads a pool is lent something, and a reader that goes leaves no trace") {
  auto pool = make_pool();
  auto memory = pool->acquire(64);
  CHECK_FALSE(pool->lend(memory, memory.get(), me()));
  CHECK(pool->used().refused == 0);
  auto mapping = read_here(*pool);
  CHECK(pool->lend(memory, memory.get(), me()));
  mapping.reset();
  CHECK_FALSE(pool->lend(memory, memory.get(), me()));
}

TEST_CASE("memory and loans are bounded; what is refused is counted (R13)") {
  auto pool = make_pool({.bytes = 16384, .loans = 2});
  auto mapping = read_here(*pool);
  auto first = pool->acquire(8192);
  auto second = pool->acquire(8192);
  CHECK_FALSE(pool->acquire(1));
  CHECK(pool->used().refused == 1);
  first.reset();
  CHECK(pool->acquire(8192));
  auto a = pool->lend(second, second.get(), me());
  auto b = pool->lend(second, second.get(), me());
  REQUIRE((a && b));
  CHECK_FALSE(pool->lend(second, second.get(), me()));
  CHECK(pool->used().refused == 2);
  CHECK(mapping->claim(*a, 64)); // and back at once
  CHECK(pool->lend(second, second.get(), me()));
}

TEST_CASE("blocks that were given back are one again, in whatever order") {
  auto pool = make_pool({.bytes = 4 * 4096});
  for (auto& order : {std::array{0, 1, 2, 3}, std::array{3, 1, 2, 0}, std::array{1, 3, 0, 2}}) {
    auto blocks = std::vector<std::shared_ptr<std::byte>>{};
    for (int i = 0; i < 4; ++i)
      blocks.push_back(pool->acquire(4096));
    for (auto i : order)
      blocks[static_cast<size_t>(i)].reset();
    CHECK(pool->acquire(4 * 4096));
  }
}

TEST_CASE("what nobody claims in time is taken back, and cannot be claimed any more") {
  auto now = std::chrono::steady_clock::time_point{};
  auto pool = make_pool({.bytes = 1 << 20, .claim_limit = 10s, .now = [&] { return now; }});
  auto mapping = read_here(*pool);
  auto memory = pool->acquire(64);
  auto lost = pool->lend(memory, memory.get(), me());
  auto held = pool->lend(memory, memory.get(), me());
  auto read = mapping->claim(*held, 64);
  now += 10s;
  pool->reclaim();
  CHECK(pool->used().loans == 2);
  now += 1s;
  pool->reclaim();
  CHECK(pool->used().loans == 1); // however long it is read
  CHECK_FALSE(mapping->claim(*lost, 64));
}

TEST_CASE("what a reader held that was killed comes back (I9)") {
  auto pool = make_pool();
  auto reader = child{[&](child& c) {
    auto mapping = shared_mapping::open(pool->place(), this_process_place());
    c.tell(mapping.has_value());
    auto read = (*mapping)->claim(c.hear<shared_loan>(), 4096);
    c.tell(read.has_value() && **read == std::byte{5});
    c.hear<bool>(); // holds it until it is killed
  }};
  auto who = process_id{static_cast<uint32_t>(reader.pid()), start_of_process(static_cast<uint32_t>(reader.pid()))};
  REQUIRE(reader.hear<bool>());
  CHECK(pool->is_read_by(who));
  auto memory = filled(*pool, 4096, 5);
  auto held = pool->lend(memory, memory.get(), who);
  auto under_way = pool->lend(memory, memory.get(), who);
  REQUIRE((held && under_way));
  reader.tell(*held);
  CHECK(reader.hear<bool>());
  memory.reset();
  pool->reclaim();
  CHECK(pool->used().loans == 2);
  reader.kill();
  pool->reclaim();
  CHECK(pool->used().loans == 0);
  CHECK(pool->used().taken == 0);
  memory = pool->acquire(64);
  CHECK_FALSE(pool->lend(memory, memory.get(), who));
  auto mapping = read_here(*pool); // takes the dead one's place
  CHECK_FALSE(pool->is_read_by(who));
  CHECK(pool->is_read_by(me()));
}

TEST_CASE("what a killed process has lent stays readable, and nothing new is mapped of it") {
  auto self = me();
  auto owner = child{[&](child& c) {
    auto pool = shared_pool::open({.bytes = 1 << 20});
    c.tell(address::of((*pool)->place()));
    c.hear<bool>();
    auto memory = (*pool)->acquire(8192);
    std::memset(memory.get(), 9, 8192);
    c.tell(*(*pool)->lend(memory, memory.get(), self));
    c.hear<bool>();
  }};
  auto place = owner.hear<address>().place();
  auto mapping = shared_mapping::open(place, this_process_place());
  REQUIRE(mapping);
  owner.tell(true);
  auto read = (*mapping)->claim(owner.hear<shared_loan>(), 8192);
  REQUIRE(read);
  CHECK_FALSE((*mapping)->owner_ended());
  owner.kill();
  CHECK((*mapping)->owner_ended());
  mapping->reset();
  CHECK(std::all_of(read->get(), read->get() + 8192, [](auto x) { return x == std::byte{9}; }));
  CHECK_FALSE(shared_mapping::open(place, this_process_place()));
}

TEST_CASE("a payload for a reader of this host crosses as a descriptor, bit by bit; to any other as its bytes") {
  auto& memory = shared_memory::of_this_process();
  constexpr size_t n = 100000;
  for (auto in_place : {true, false}) {
    auto p = in_place ? payload::floats_to_lend(n) : payload::floats(n);
    for (size_t i = 0; i < n; ++i)
      p.mutable_floats()[i] = static_cast<float>(i) + 0.5f;
    CHECK(written(p).size() > p.bytes());
    if (in_place)
      CHECK(written(p.for_reader(me())).size() > p.bytes()); // it does not read here yet
    CHECK_FALSE(memory.attach(memory.place()));
    auto bytes = written(p.for_reader(me()).part(16, n - 16));
    CHECK(bytes.size() < 100);
    auto back = payload{};
    auto source = caf::binary_deserializer{nullptr, bytes};
    REQUIRE(source.apply(back));
    CHECK(back.borrowed());
    CHECK(back.shape() == std::vector<uint64_t>{n - 16});
    CHECK(std::memcmp(back.data(), p.data() + 64, back.bytes()) == 0);
    CHECK(written(payload::floats(16).for_reader(me())).size() > 64); // too short to be lent
    auto once_more = payload{};
    auto copy = caf::binary_deserializer{nullptr, bytes};
    CHECK_FALSE(copy.apply(once_more));
    for (size_t length = 0; length < bytes.size(); ++length) {
      auto part = caf::byte_buffer(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
      auto cut = caf::binary_deserializer{nullptr, part};
      CHECK_FALSE(cut.apply(once_more));
    }
  }
  CHECK(memory.lent() == 2);
  CHECK(memory.not_lent() == 0);
}

TEST_CASE("a process that refrains shares nothing, and says once of whom it cannot read") {
  auto silent = shared_memory{};
  silent.refrain();
  CHECK(silent.place() == process_place{});
  auto first = shared_memory{{.bytes = 1 << 20}};
  auto second = shared_memory{};
  auto place = first.place();
  CHECK_FALSE(silent.attach(place));
  auto elsewhere = place;
  elsewhere.boot = "another host";
  CHECK_FALSE(second.attach(elsewhere)); // nothing to say
  auto contained = place;
  contained.pids = "pid:[1]";
  auto said = second.attach(contained);
  REQUIRE(said);
  CHECK_THAT(*said, ContainsSubstring("come through its connection"));
  CHECK_FALSE(second.attach(contained));
}

TEST_CASE("a spent pool has tensors go through the connection, and counts them (R13)") {
  auto small = shared_memory{{.bytes = 1 << 16}};
  auto reader = shared_memory{};
  CHECK_FALSE(reader.attach(small.place()));
  auto large = acquire_memory(1 << 17);
  CHECK_FALSE(small.lend(large, large.get(), 1 << 17, me()));
  CHECK(small.not_lent() == 1);
  auto fitting = acquire_memory(1 << 15);
  auto loan = small.lend(fitting, fitting.get(), 1 << 15, me());
  REQUIRE(loan);
  CHECK(reader.claim(*loan, 1 << 15));
  CHECK_FALSE(small.claim(*loan, 1 << 15)); // which reads nothing
  CHECK(small.lent_bytes() == 1 << 15);
}
