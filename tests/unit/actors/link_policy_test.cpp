// What passes a connection that is through: CAF's bytes, and tensors beside them.

#include "actors/link_policy.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

#include "messages/memory.hpp"

using namespace troupe;
using caf::io::network::rw_state;
using Catch::Matchers::ContainsSubstring;

namespace {

using bytes = std::vector<std::byte>;

bytes random_bytes(size_t count, std::mt19937& random) {
  auto result = bytes(count);
  for (auto& b : result)
    b = static_cast<std::byte>(random());
  return result;
}

// A frame of CAF's: a handshake first, then messages.
bytes frame(uint8_t operation, const bytes& payload) {
  auto result = bytes(frame_guard::header_bytes);
  result[0] = std::byte{operation};
  for (size_t i = 0; i < 4; ++i)
    result[4 + i] = static_cast<std::byte>(payload.size() >> (24 - 8 * i));
  result.insert(result.end(), payload.begin(), payload.end());
  return result;
}

// Two ends within this process.
struct connection {
  explicit connection(link_limits limits = {}) {
    auto sockets = std::array<int, 2>{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) == 0);
    here = sockets[0];
    there = sockets[1];
    auto settings = std::make_shared<link_settings>();
    settings->limits = limits;
    settings->on_line = [this](const std::string& line) { said += line; };
    auto process = link_process{settings, 1, std::make_shared<std::atomic<size_t>>(0),
                                std::make_shared<link_log>(settings->on_line)};
    sender.emplace(std::make_unique<link_channel>(here), process, "there", out, in);
    receiver.emplace(std::make_unique<link_channel>(there), process, "here", out, in);
  }
  ~connection() {
    ::close(here);
    ::close(there);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // At most `most` bytes at a time arrive; whatever was read of CAF's.
  bytes pass(const bytes& messages, size_t most, std::mt19937& random) {
    auto result = bytes{};
    auto buffer = bytes(most);
    for (size_t sent = 0, rounds = 0; result.size() < messages.size();) {
      REQUIRE(++rounds < 10'000'000);
      auto done = size_t{0};
      if (sent < messages.size())
        REQUIRE(sender->write_some(done, here, messages.data() + sent, messages.size() - sent) == rw_state::success);
      sent += done;
      auto read = size_t{0};
      REQUIRE(receiver->read_some(read, there, buffer.data(), 1 + random() % most) == rw_state::success);
      result.insert(result.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(read));
    }
    return result;
  }

  std::string said;
  std::shared_ptr<outgoing_segments> out = std::make_shared<outgoing_segments>();
  std::shared_ptr<incoming_segments> in = std::make_shared<incoming_segments>();
  int here = -1;
  int there = -1;
  std::optional<link_policy> sender;
  std::optional<link_policy> receiver;
};

rw_state read_what(connection& c, const bytes& raw) {
  REQUIRE(::send(c.here, raw.data(), raw.size(), 0) == static_cast<ssize_t>(raw.size()));
  auto buffer = bytes(64);
  auto read = size_t{0};
  return c.receiver->read_some(read, c.there, buffer.data(), buffer.size());
}

bytes record(link_record what) {
  auto header = what.encoded();
  return {header.begin(), header.end()};
}

} // namespace

TEST_CASE("messages and the tensors beside them arrive whole, in pieces of any size") {
  auto random = std::mt19937{3};
  for (size_t most : {1u, 7u, 100u, 5'000u, 100'000u}) {
    auto c = connection{};
    auto messages = frame(1, random_bytes(40, random));
    c.out->begin_frame(2);
    const auto unread = random_bytes(72, random); // of a frame that nobody reads
    (void)c.out->add(unread, nullptr);
    c.out->begin_frame(5);
    auto tensors = std::vector<bytes>{};
    for (auto size : {size_t{20'000}, size_t{0}, size_t{1'234'567}, size_t{64}}) {
      tensors.push_back(random_bytes(size, random));
      CHECK(c.out->add(tensors.back(), nullptr) == tensors.size() + 1);
      auto more = frame(2, random_bytes(random() % 3000, random));
      messages.insert(messages.end(), more.begin(), more.end());
    }
    INFO("at most " << most << " at a time");
    CHECK(c.pass(messages, most, random) == messages);
    CHECK(c.out->empty());
    for (size_t i = 0; i < tensors.size(); ++i) {
      auto memory = c.in->take(i + 2, tensors[i].size());
      REQUIRE((memory || tensors[i].empty()));
      CHECK(std::equal(tensors[i].begin(), tensors[i].end(), memory.get()));
    }
    CHECK(c.in->bytes() == 0);
    CHECK(c.said.empty());
  }
}

TEST_CASE("what lies in a tensor's memory is kept until it has been sent") {
  auto random = std::mt19937{4};
  auto c = connection{};
  auto memory = acquire_memory(1 << 20);
  auto watch = std::weak_ptr<std::byte>{memory};
  c.out->add({memory.get(), 1 << 20}, memory);
  memory.reset();
  CHECK_FALSE(watch.expired());
  (void)c.pass(frame(1, {}), 4096, random);
  CHECK(watch.expired());
}

TEST_CASE("a peer whose records make no sense, or hold more than the limit, is dropped with a line that says so") {
  {
    auto c = connection{};
    CHECK(read_what(c, bytes(link_record::header_bytes, std::byte{9})) == rw_state::failure);
    CHECK_THAT(c.said, ContainsSubstring("a record of an unknown kind"));
  }
  {
    auto c = connection{{.frame_bytes = 1000}};
    CHECK(read_what(c, record({link_record::kind::segment, 1001, 1})) == rw_state::failure);
    CHECK_THAT(c.said, ContainsSubstring("more than 1000 bytes"));
  }
  { // many that nobody asks for
    auto c = connection{{.frame_bytes = 1000}};
    auto several = bytes{};
    for (auto number : {uint64_t{1}, uint64_t{2}, uint64_t{3}}) {
      auto header = record({link_record::kind::segment, 400, number});
      several.insert(several.end(), header.begin(), header.end());
      several.resize(several.size() + 400);
    }
    CHECK(read_what(c, several) == rw_state::failure);
    CHECK(c.in->bytes() == 800);
  }
  { // many that are empty
    auto c = connection{};
    const auto empty = record({link_record::kind::segment, 0, 1});
    auto state = rw_state::success;
    for (int i = 0; i < 70'000 && state == rw_state::success; ++i)
      state = read_what(c, empty);
    CHECK(state == rw_state::failure);
    CHECK(c.in->count() == 65'536);
    CHECK_THAT(c.said, ContainsSubstring("more than 65536 tensors"));
  }
  {
    auto c = connection{{.frame_bytes = 1000}};
    auto announced = frame(1, {});
    announced[4] = std::byte{0x7f};
    auto raw = record({link_record::kind::messages, announced.size(), 0});
    raw.insert(raw.end(), announced.begin(), announced.end());
    CHECK(read_what(c, raw) == rw_state::failure);
    CHECK_THAT(c.said, ContainsSubstring("announces a frame"));
  }
}
