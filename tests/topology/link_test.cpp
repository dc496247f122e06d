// Who is let in by a node, with certificates and without, and what is said of who is not.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fcntl.h>

#include "actors/frame_guard.hpp"
#include "actors/link_policy.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/hosts.hpp"
#include "tests/topology/strangers.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

// A node that keeps its log, and its certificates.
struct guarded_node {
  explicit guarded_node(link_settings s = {}) : host{{}, with_log(std::move(s))} {}

  link_settings with_log(link_settings s) {
    s.on_line = log.sink();
    return s;
  }
  // Whether whoever connects so is let in; otherwise what is said to it.
  std::string refusal(const link_settings& of) {
    auto rt = runtime{{.network = true, .link = of}};
    auto r = connect_node(rt.system(), "127.0.0.1", host.port, "job", 10s);
    return r ? std::string{} : r.error().sentence;
  }
  // After all of this, the node still greets its own.
  [[nodiscard]] uint16_t port() const { return host.port; }

  lines log;
  published_node host;
};

struct job_folder {
  job_folder() { make_certs(at() / "job", "digits", {"127.0.0.1,localhost", "b.example"}); }
  [[nodiscard]] const std::filesystem::path& at() const { return folder.path(); }
  [[nodiscard]] link_settings settings(const std::string& who) const { return with_certs(at() / "job" / who); }

  temporary_folder folder;
};

std::vector<uint8_t> hello_of(const std::string& job, const std::string& node, const certificate_fingerprint& print) {
  auto h = link_hello{};
  h.process = 4711;
  h.job = job;
  h.node = node;
  h.fingerprint = print;
  return encode(h);
}

} // namespace

TEST_CASE("processes with certificates of one job greet each other, and without any, too") {
  const job_folder job;
  auto secure = guarded_node{job.settings("127.0.0.1")};
  CHECK(secure.refusal(job.settings("leader")).empty());
  CHECK(secure.refusal(job.settings("b.example")).empty());
  auto plain = guarded_node{};
  CHECK(plain.refusal({}).empty());
  CHECK(secure.log.size() + plain.log.size() == 0);
}

TEST_CASE("I15: a node drops who shows no certificate of its job, with a line on each") {
  const job_folder job;
  make_certs(job.at() / "other", "digits", {"127.0.0.1"}); // another CA of the same name
  make_certs(job.at() / "letters", "letters", {"127.0.0.1"});
  auto node = guarded_node{job.settings("127.0.0.1")};
  auto knock = [&](const std::filesystem::path& folder, const std::string& line) {
    auto s = stranger{node.port()};
    s.speak_tls(folder);
    CHECK(s.is_dropped());
    auto said = node.log.wait_for(line);
    CHECK_THAT(said, ContainsSubstring("refused the connection from 127.0.0.1:"));
  };
  knock({}, "it shows no certificate");
  knock(job.at() / "letters/leader", "its certificate is not of this job's CA");
  auto before = node.log.size();
  knock(job.at() / "other/leader", "its certificate is not of this job's CA");
  CHECK(node.log.wait_for_size(before + 1));
  CHECK(node.refusal(job.settings("leader")).empty());
}

TEST_CASE("I15: a node drops who shows a certificate that has expired") {
  const temporary_folder folder;
  auto order = certificates_order{folder.path(), "digits", {"127.0.0.1"}, std::chrono::days{1}};
  order.from -= std::chrono::days{30};
  REQUIRE(make_certificates(order)); // its CA lasts
  std::filesystem::rename(folder.path() / "leader", folder.path() / "old");
  std::filesystem::remove_all(folder.path() / "127.0.0.1");
  REQUIRE(make_certificates({folder.path(), "", {"127.0.0.1"}}));
  auto node = guarded_node{with_certs(folder.path() / "127.0.0.1")};
  auto s = stranger{node.port()};
  s.speak_tls(folder.path() / "old");
  CHECK(s.is_dropped());
  CHECK_FALSE(node.log.wait_for("its certificate has expired").empty());
}

TEST_CASE("I15: a node drops who has a good certificate and says that it is somebody else") {
  const job_folder job;
  auto node = guarded_node{job.settings("127.0.0.1")};
  auto print = job.settings("leader").identity->facts().fingerprint;
  auto knock = [&](const std::vector<uint8_t>& hello, const std::string& line) {
    auto s = stranger{node.port()};
    s.speak_tls(job.at() / "job/leader");
    s.say(hello);
    CHECK(s.is_dropped());
    CHECK_FALSE(node.log.wait_for(line).empty());
  };
  knock(hello_of("digits", "b.example", print), "it says that it is b.example, and its certificate does not");
  knock(hello_of("letters", "leader", print), "this is job \"digits\"");
  knock(hello_of("digits", "leader", {}), "its hello names another certificate than the one it has shown");
  knock(std::vector<uint8_t>(600, 0xB5), "it speaks another protocol than Troupe's");
}

TEST_CASE("I15: who dials believes a node only by the name that it has dialled, and no leader") {
  const job_folder job;
  make_certs(job.at() / "letters", "letters", {"127.0.0.1"});
  auto b = guarded_node{job.settings("b.example")};
  CHECK_THAT(b.refusal(job.settings("leader")),
             ContainsSubstring("is reached, but its certificate is not for 127.0.0.1, which was dialled"));
  auto leader = guarded_node{job.settings("leader")};
  CHECK_THAT(leader.refusal(job.settings("leader")), ContainsSubstring("its certificate is not good"));
  auto other = guarded_node{with_certs(job.at() / "letters/127.0.0.1")};
  CHECK_THAT(other.refusal(job.settings("leader")), ContainsSubstring("its certificate is not of this job's CA"));
  CHECK_FALSE(other.log.wait_for("it refuses this side's certificate").empty());
}

TEST_CASE("one side with TLS and one without do not talk, and both say so") {
  const job_folder job;
  auto secure = guarded_node{job.settings("127.0.0.1")};
  CHECK_THAT(secure.refusal({}), ContainsSubstring("is it started with --certs?"));
  CHECK_FALSE(secure.log.wait_for("it speaks without TLS, and this side takes nothing else").empty());
  auto plain = guarded_node{};
  CHECK_THAT(plain.refusal(job.settings("leader")), ContainsSubstring("is it started without --certs?"));
  CHECK_FALSE(plain.log.wait_for("it speaks TLS, and this side does not").empty());
}

TEST_CASE("an old version is told so before CAF sees it, by both sides") {
  const job_folder job;
  for (const auto& s : {link_settings{}, job.settings("127.0.0.1")}) {
    auto node = guarded_node{s};
    auto old = s.identity ? job.settings("leader") : link_settings{};
    old.protocol = protocol_version - 1;
    CHECK_THAT(node.refusal(old), ContainsSubstring("install the same version on all hosts"));
    CHECK_FALSE(node.log.wait_for("(protocol " + std::to_string(protocol_version - 1) + ")").empty());
    CHECK(node.refusal(s.identity ? job.settings("leader") : link_settings{}).empty());
  }
}

TEST_CASE("other protocols and silence are dropped before CAF sees them, with a line") {
  auto settings = link_settings{};
  settings.limits.greeting = 300ms;
  auto node = guarded_node{settings};
  auto knock = [&](const std::string& words, const std::string& line) {
    auto s = stranger{node.port()};
    s.say(words);
    CHECK(s.is_dropped());
    CHECK_FALSE(node.log.wait_for(line).empty());
  };
  knock("GET / HTTP/1.1\r\n\r\n", "it speaks another protocol than Troupe's");
  knock(std::string{"\xB5Troupe\n\xFF\xFF", 10}, "it speaks another protocol than Troupe's");
  knock(std::string{"\xB5Troupe\n\x0F\0\1\2\3\4\5", 15}, "its hello is damaged");
  knock("", "it is not through the hello after 300 ms");
  knock("\xB5Tro", "it is not through the hello after 300 ms");
  auto through = greet(node.port(), {}); // and then nothing
  REQUIRE(through);
  auto silent = stranger{node.port()};
  CHECK(silent.is_dropped());
  ::close(through->socket());
  CHECK(node.refusal({}).empty());
}

TEST_CASE("a frame that is too long costs its connection and no memory") {
  auto settings = link_settings{};
  settings.limits.frame_bytes = 1 << 20;
  auto node = guarded_node{settings};
  for (auto operation : {uint8_t{1}, uint8_t{2}}) {
    auto through = greet(node.port(), {});
    REQUIRE(through);
    auto header = std::array<uint8_t, frame_guard::header_bytes>{operation, 0, 0, 0, 0xC0};
    auto record = link_record{link_record::kind::messages, header.size(), 0}.encoded();
    CHECK(through->write(record, std::as_bytes(std::span{header})).bytes == record.size() + header.size());
    CHECK_FALSE(node.log
                  .wait_for(operation == 1 ? "it announces a frame of 3221225472 bytes, and 65536 is the most"
                                           : "it does not begin with a handshake of CAF's")
                  .empty());
    ::close(through->socket());
  }
  CHECK(node.refusal({}).empty());
}

TEST_CASE("a worker process with a secret takes only who knows it") {
  auto node = guarded_node{{.secret = "open sesame"}};
  CHECK(node.refusal({.secret = "open sesame"}).empty());
  CHECK_THAT(node.refusal({.secret = "open barley"}), ContainsSubstring("it closed the connection during the hello"));
  CHECK_FALSE(node.log.wait_for("it does not know the secret of this run").empty());
  CHECK_THAT(node.refusal({}), ContainsSubstring("it takes only processes of its own run"));
  CHECK_FALSE(node.log.wait_for("it is not a process of this run").empty());
}

TEST_CASE("R13: a node lets its own in while more strangers knock than it has room for") {
  auto settings = link_settings{};
  settings.limits.strangers = 8;
  settings.limits.greeting = 60s;
  auto node = guarded_node{settings};
  auto crowd = std::vector<std::unique_ptr<stranger>>{};
  for (auto i = 0; i < 100; ++i)
    crowd.push_back(std::make_unique<stranger>(node.port()));
  CHECK(node.refusal({}).empty());
  CHECK_FALSE(node.log.wait_for("it kept silent while others waited to be let in").empty());
  CHECK(crowd.front()->is_dropped());
}

TEST_CASE("R13: a node has no more peers than its limit") {
  auto settings = link_settings{};
  settings.limits.peers = 1;
  auto node = guarded_node{settings};
  auto first = runtime{{.network = true}};
  REQUIRE(connect_node(first.system(), "127.0.0.1", node.port(), "job", 10s));
  CHECK_FALSE(node.refusal({}).empty());
  CHECK_FALSE(node.log.wait_for("there are 1 connections already").empty());
}
