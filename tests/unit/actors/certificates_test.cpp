// Certificates: what is made, what is not overwritten, and what a process says of a folder that is not good.

#include "actors/certificates.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <sys/stat.h>

#include "actors/link_identity.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

certificates_order order(const fs::path& folder, std::vector<std::string> nodes, std::string job = "digits") {
  auto result = certificates_order{};
  result.folder = folder;
  result.job = std::move(job);
  result.nodes = std::move(nodes);
  return result;
}

std::string refusal(const certificates_order& o) {
  auto made = make_certificates(o);
  return made ? std::string{} : made.error().sentence;
}

std::string no_identity(const fs::path& folder) {
  auto read = link_identity::read(folder);
  return read ? std::string{} : read.error().sentence;
}

mode_t mode_of(const fs::path& file) {
  struct stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

} // namespace

TEST_CASE("certificates name the job and what their node is called") {
  const test::temporary_folder folder;
  auto made = make_certificates(order(folder.path() / "certs", {"a.example,192.0.2.7,2001:db8::1", "127.0.0.1"}));
  REQUIRE(made);
  CHECK(made->size() == 4); // with the CA and the leader
  auto a = link_identity::read(folder.path() / "certs/a.example");
  REQUIRE(a);
  CHECK((*a)->facts().job == "digits");
  CHECK((*a)->facts().names == std::vector<std::string>{"a.example", "192.0.2.7", "2001:db8::1"});
  auto leader = link_identity::read(folder.path() / "certs/leader");
  REQUIRE(leader);
  CHECK((*leader)->facts().fingerprint != (*a)->facts().fingerprint);
  CHECK(mode_of(folder.path() / "certs/a.example/key.pem") == 0600);
  CHECK(mode_of(folder.path() / "certs/ca/key.pem") == 0600);
  CHECK_FALSE(fs::exists(folder.path() / "certs/ca/cert.pem"));
}

TEST_CASE("nodes are added to a job by its CA, and nothing is overwritten") {
  const test::temporary_folder folder;
  REQUIRE(make_certificates(order(folder.path(), {"a"})));
  auto more = make_certificates(order(folder.path(), {"b"}, ""));
  REQUIRE(more);
  CHECK(*more == std::vector<fs::path>{folder.path() / "b"});
  CHECK(link_identity::read(folder.path() / "b"));
  CHECK_THAT(refusal(order(folder.path(), {"c", "b"})), ContainsSubstring("b is there already: remove it first"));
  CHECK_FALSE(fs::exists(folder.path() / "c"));
  CHECK_THAT(refusal(order(folder.path(), {"c"}, "letters")), ContainsSubstring("is that of job digits"));
}

TEST_CASE("an order that makes no sense is refused before anything is written") {
  const test::temporary_folder folder;
  auto at = folder.path() / "certs";
  CHECK_THAT(refusal(order(at, {"a"}, "")), ContainsSubstring("name its job with --job"));
  CHECK_THAT(refusal(order(at, {})), ContainsSubstring("--node"));
  for (auto* bad : {"a b", "../a", "a,", "a,DNS:b", "*.example", "a:4242", "-a", "a\nIP:1.2.3.4"})
    CHECK_THAT(refusal(order(at, {bad})), ContainsSubstring("is no host name and no address"));
  for (auto* taken : {"ca", "leader"})
    CHECK_THAT(refusal(order(at, {taken})), ContainsSubstring("another use"));
  CHECK_THAT(refusal(order(at, {"a"}, "a job")), ContainsSubstring("is no name for a job"));
  CHECK_FALSE(fs::exists(at));
}

TEST_CASE("a folder with certificates that are not good is refused with what to do") {
  const test::temporary_folder folder;
  auto& at = folder.path();
  REQUIRE(make_certificates(order(at / "x", {"a", "b"})));
  REQUIRE(make_certificates(order(at / "y", {"a"})));
  CHECK_THAT(no_identity(at / "nowhere"), ContainsSubstring("make new ones with `troupe certs`"));
  CHECK_THAT(no_identity(at / "x"), ContainsSubstring("x/leader"));

  auto key = at / "x/a/key.pem";
  ::chmod(key.c_str(), 0640);
  CHECK_THAT(no_identity(at / "x/a"), ContainsSubstring("chmod 600"));
  ::chmod(key.c_str(), 0600);
  CHECK(no_identity(at / "x/a").empty());
  fs::copy_file(at / "x/b/key.pem", key, fs::copy_options::overwrite_existing);
  CHECK_THAT(no_identity(at / "x/a"), ContainsSubstring("is not the key of"));
  fs::copy_file(at / "y/a/ca.pem", at / "x/b/ca.pem", fs::copy_options::overwrite_existing);
  CHECK_THAT(no_identity(at / "x/b"), ContainsSubstring("is not of the CA"));
  fs::remove(at / "y/a/key.pem");
  CHECK_THAT(no_identity(at / "y/a"), ContainsSubstring("key.pem: No such file"));
  std::ofstream{at / "y/a/key.pem"} << "-----BEGIN PRIVATE KEY-----\n";
  ::chmod((at / "y/a/key.pem").c_str(), 0600);
  CHECK_THAT(no_identity(at / "y/a"), ContainsSubstring("holds no key"));
  std::ofstream{at / "y/leader/cert.pem"} << "none";
  CHECK_THAT(no_identity(at / "y/leader"), ContainsSubstring("holds no certificate"));
}

TEST_CASE("a certificate that has expired, or is not good yet, is refused with the date") {
  const test::temporary_folder folder;
  auto old = order(folder.path() / "old", {"a"});
  old.from -= std::chrono::days{400};
  REQUIRE(make_certificates(old));
  CHECK_THAT(no_identity(folder.path() / "old/a"), ContainsSubstring("has expired on 20"));
  auto early = order(folder.path() / "early", {"a"});
  early.from += std::chrono::days{2};
  REQUIRE(make_certificates(early));
  CHECK_THAT(no_identity(folder.path() / "early/a"), ContainsSubstring("is this machine's clock right?"));
}
