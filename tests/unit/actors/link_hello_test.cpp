// The first bytes of a connection: what is read of them, and whom they let through.

#include "actors/link_hello.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>

using namespace troupe;

namespace {

link_hello some_hello() {
  auto h = link_hello{};
  h.version = "1.2.3";
  h.job = "digits";
  h.node = "a.example";
  h.process = 0x0102030405060708;
  h.nonce.fill(7);
  h.fingerprint.fill(9);
  h.has_secret = true;
  return h;
}

// Two processes of one job, with TLS.
struct pair {
  pair() {
    ours.job = theirs.job = shown.job = "digits";
    ours.process = 1;
    theirs.process = 2;
    theirs.node = "b.example";
    shown.names = {"b.example", "192.0.2.7"};
    shown.fingerprint.fill(9);
    theirs.fingerprint = shown.fingerprint;
  }
  [[nodiscard]] std::string refusal() const {
    auto r = check(ours, theirs, &shown);
    return r ? std::string{} : r.error().sentence;
  }

  link_hello ours;
  link_hello theirs;
  certificate_facts shown;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a hello that was encoded is read as it was") {
  auto bytes = encode(some_hello());
  CHECK(bytes.size() <= most_hello_bytes);
  CHECK(hello_size(std::span{bytes}.first(hello_prefix_bytes)) == bytes.size());
  auto read = decode_hello(bytes);
  REQUIRE(read);
  CHECK(*read == some_hello());
}

TEST_CASE("a hello has at most 512 bytes, however long its names are") {
  auto h = some_hello();
  h.version = h.job = h.node = std::string(1000, 'x');
  auto bytes = encode(h);
  CHECK(bytes.size() <= most_hello_bytes);
  auto read = decode_hello(bytes);
  REQUIRE(read);
  CHECK(read->node == std::string(120, 'x'));
}

TEST_CASE("of a hello of another protocol the numbers are read, whatever comes behind them") {
  auto h = some_hello();
  h.protocol = protocol_version + 1;
  auto bytes = encode(h);
  bytes.resize(hello_prefix_bytes + 4 + 1 + h.version.size());
  bytes.insert(bytes.end(), 40, uint8_t{0xFF});
  bytes[8] = static_cast<uint8_t>(bytes.size());
  bytes[9] = 0;
  auto read = decode_hello(bytes);
  REQUIRE(read);
  CHECK(read->protocol == protocol_version + 1);
  CHECK(read->version == "1.2.3");
}

TEST_CASE("other protocols are no hello, by their first ten bytes") {
  for (std::string text : {"GET / HTTP/1.1\r\n", "SSH-2.0-OpenSSH_9.2", "\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03"})
    CHECK_FALSE(hello_size(std::span{reinterpret_cast<const uint8_t*>(text.data()), 10}));
  auto bytes = encode(some_hello());
  CHECK_FALSE(hello_size(std::span{bytes}.first(9)));
  bytes[9] = 0x40; // 16 KiB
  CHECK_FALSE(hello_size(bytes));
  bytes[8] = bytes[9] = 0;
  CHECK_FALSE(hello_size(bytes));
}

TEST_CASE("a damaged hello is refused, or read as something that the sender could have said") {
  auto random = std::mt19937{1};
  auto good = encode(some_hello());
  auto refused = 0;
  for (auto i = 0; i < 100000; ++i) {
    auto bytes = good;
    bytes.resize(random() % (bytes.size() + 20), uint8_t{0});
    for (auto flips = random() % 4; flips > 0 && !bytes.empty(); --flips)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    auto read = decode_hello(bytes);
    refused += read ? 0 : 1;
    if (read && read->protocol == protocol_version)
      CHECK(encode(*read).size() == bytes.size());
  }
  CHECK(refused > 90000);
}

TEST_CASE("what a stranger says of itself is printed without control characters") {
  auto h = some_hello();
  h.protocol = protocol_version + 1;
  h.version = "1.0\n\x1b[2Jtroupe: all is well";
  auto read = decode_hello(encode(h));
  REQUIRE(read);
  CHECK(read->version == "1.0??[2Jtroupe: all is well");
}

TEST_CASE("processes of one job talk to each other") {
  CHECK(pair{}.refusal().empty());
  auto plain = pair{};
  plain.ours.job = plain.theirs.job = "";
  plain.theirs.fingerprint = {};
  CHECK(check(plain.ours, plain.theirs, nullptr));
}

TEST_CASE("a process of another version is told which both are") {
  auto p = pair{};
  p.theirs.protocol = protocol_version - 1;
  p.theirs.version = "0.0.9";
  CHECK(contains(p.refusal(), "it runs troupe 0.0.9 (protocol " + std::to_string(protocol_version - 1) + ")"));
  CHECK(contains(p.refusal(), "install the same version on all hosts"));
}

TEST_CASE("I15: a hello has to agree with the certificate that was shown") {
  auto p = pair{};
  p.theirs.fingerprint.fill(8);
  CHECK(contains(p.refusal(), "names another certificate than the one it has shown"));
  p = {};
  p.theirs.node = "a.example";
  CHECK(p.refusal() == "it says that it is a.example, and its certificate does not");
  p = {};
  p.shown.job = "letters";
  CHECK(contains(p.refusal(), "its certificate is for job \"letters\", and this is job \"digits\""));
  p = {};
  p.theirs.job = "letters";
  CHECK_FALSE(p.refusal().empty());
  p = {};
  CHECK_FALSE(check(p.ours, p.theirs, nullptr)); // none was shown
}

TEST_CASE("a process does not talk to itself, nor to one that has a secret where it has none") {
  auto p = pair{};
  p.theirs.process = p.ours.process;
  CHECK(p.refusal() == "it is this process itself");
  p = {};
  p.ours.has_secret = true;
  CHECK(p.refusal() == "it is not a process of this run");
  std::swap(p.ours.has_secret, p.theirs.has_secret);
  CHECK(p.refusal() == "it takes only processes of its own run");
}
