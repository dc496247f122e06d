/// Runs with certificates, and what becomes of nodes that strangers knock at.

#include <arpa/inet.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto steps = 1500;

void make_certs(const temporary_folder& folder, const std::string& name, const std::string& job) {
  process made(command({"certs", name, "--job", job, "--node", "127.0.0.1"}), folder.path());
  REQUIRE(made.wait(deadline) == 0);
  CHECK_THAT(made.out(), ContainsSubstring("made " + name + "/127.0.0.1"));
}

words job_with(const running_node& node, const words& more = {}) {
  return long_job(2, steps, words{"--nodes", node.address} + more);
}

uint16_t port_of(const running_node& node) {
  return static_cast<uint16_t>(std::stoul(node.address.substr(node.address.rfind(':') + 1)));
}

size_t resident_kib(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:"))
      return std::stoul(line.substr(6));
  return 0;
}

/// Connections that say nothing, or words that nobody understands.
class crowd {
public:
  crowd(uint16_t port, int size) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string garbage(1000, '\x2A');
    for (int i = 0; i < size; ++i) {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      REQUIRE(socket >= 0);
      REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
      if (i % 2 == 1)
        ::send(socket, garbage.data(), garbage.size(), MSG_NOSIGNAL);
      sockets_.push_back(socket);
    }
  }
  ~crowd() {
    for (const int socket : sockets_)
      ::close(socket);
  }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

private:
  std::vector<int> sockets_;
};

} // namespace

TEST_CASE("a job with certificates trains to the same weights while 1,000 strangers knock at its node") {
  const temporary_folder folder;
  make_certs(folder, "certs", "digits");
  running_node node(folder, {}, {"--certs", "certs/127.0.0.1"});
  {
    // So that what the first run takes is not counted.
    process run(job_with(node, {"--certs", "certs/leader", "--steps", "20"}), folder.path());
    REQUIRE(run.wait(deadline) == 0);
  }
  const auto before = resident_kib(node.started.pid());
  process run(job_with(node, {"--certs", "certs/leader"}), folder.path());
  REQUIRE(run.wait_for_output("step 1/", deadline));
  const crowd strangers(port_of(node), 1000);
  CHECK(run.wait(deadline) == 0);
  const auto report = report_in(folder);
  CHECK(report["weights_sha256"] == undisturbed_long_job(steps));
  CHECK(report["restarts"] == 0);
  CHECK(resident_kib(node.started.pid()) < before + (64 << 10));
  // And the node still lets its own in, with all of them before its door.
  process next(job_with(node, {"--certs", "certs/leader", "--steps", "20"}), folder.path());
  CHECK(next.wait(deadline) == 0);
  node.started.send(SIGTERM);
  CHECK(node.started.wait(deadline) == 0);
  CHECK_THAT(node.started.err(),
             ContainsSubstring("refused the connection from 127.0.0.1:") &&
               ContainsSubstring("it speaks another protocol than Troupe's") &&
               (ContainsSubstring("more were refused before)") || ContainsSubstring("connections more")));
}

TEST_CASE("a leader of another job, or without a certificate, gets one sentence and so does the node's log") {
  const temporary_folder folder;
  make_certs(folder, "certs", "digits");
  make_certs(folder, "letters", "letters");
  running_node node(folder, {}, {"--certs", "certs/127.0.0.1"});
  const auto refused = [&](const words& more, const std::string& sentence) {
    process run(job_with(node, more), folder.path());
    CHECK(run.wait(deadline) == 2);
    CHECK_THAT(run.err(), ContainsSubstring("troupe: " + node.address + " is reached, but " + sentence));
  };
  refused({}, "it closed the connection during the hello: is it started with --certs?");
  refused({"--certs", "letters/leader"}, "its certificate is not of this job's CA");
  node.started.send(SIGTERM);
  CHECK(node.started.wait(deadline) == 0);
  CHECK_THAT(node.started.err(), ContainsSubstring("it speaks without TLS, and this side takes nothing else") &&
                                   ContainsSubstring("it refuses this side's certificate"));
}

TEST_CASE("certificates that are not good, or of no use, end the command with what to do") {
  const temporary_folder folder;
  make_certs(folder, "certs", "digits");
  const auto refused = [&](const words& arguments, const std::string& sentence) {
    process run(command(arguments), folder.path());
    CHECK(run.wait(deadline) == 2);
    CHECK_THAT(run.err(), ContainsSubstring(sentence));
  };
  refused({"node", "--listen", "0.0.0.0:0"}, "give it a certificate with --certs");
  refused({"node", "--certs", "certs"}, "certs/leader");
  refused({"node", "--certs", "certs/leader", "--insecure"}, "--insecure is for a node without --certs");
  refused({"train", "--certs", "certs/leader"}, "name their nodes with --nodes");
  refused({"train", "--nodes", "127.0.0.1:1", "--certs", "nowhere"}, "there is no certificate in nowhere");
  refused({"certs", "certs", "--node", "127.0.0.1"}, "is there already: remove it first");
  refused({"certs"}, "takes the folder to make the certificates in");
}
