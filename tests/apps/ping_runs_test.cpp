/// `troupe ping`: nodes that answer, one that does not, and one that asks for certificates.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "tests/apps/command.hpp"

using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;
using nlohmann::json;

namespace {

const words quick{"--count", "5", "--load", "1"};

size_t lines(const std::string& text) {
  return static_cast<size_t>(std::ranges::count(text, '\n'));
}

} // namespace

TEST_CASE("ping measures the connection to each node and the one between them") {
  const temporary_folder folder;
  const running_node a(folder), b(folder);
  process table(command({"ping", a.address + "," + b.address}) + quick, folder.path());
  CHECK(table.wait(deadline) == 0);
  CHECK(lines(table.out()) == 4); // with the head
  CHECK_THAT(table.out(), ContainsSubstring("here") && ContainsSubstring("\n" + a.address + "  " + b.address));
  CHECK(table.err().empty());

  process figures(command({"ping", a.address, b.address, "--json", "--direct"}) + quick, folder.path());
  CHECK(figures.wait(deadline) == 0);
  const auto all = json::parse(figures.out());
  REQUIRE(all["links"].size() == 2);
  CHECK(all["failed"].empty());
  for (const auto& link : all["links"]) {
    CHECK((link["min_us"] > 0 && link["min_us"] <= link["median_us"] && link["median_us"] <= link["p99_us"]));
    CHECK((link["bytes_per_second_to"] > 0 && link["bytes_per_second_from"] > 0));
  }
}

TEST_CASE("ping says of each node that does not answer why, and ends with 1") {
  const temporary_folder folder;
  const running_node a(folder);
  process run(command({"ping", "127.0.0.1:1", a.address}) + quick, folder.path());
  CHECK(run.wait(deadline) == 1);
  CHECK(lines(run.out()) == 2);
  CHECK(lines(run.err()) == 1);
  CHECK_THAT(run.err(), ContainsSubstring("troupe: no troupe node answers at 127.0.0.1:1 "));
  process none(command({"ping"}), folder.path());
  CHECK(none.wait(deadline) == 2);
}

TEST_CASE("ping passes a node's gate with a certificate of its job, and not without") {
  const temporary_folder folder;
  process made(command({"certs", "certs", "--job", "digits", "--node", "127.0.0.1"}), folder.path());
  REQUIRE(made.wait(deadline) == 0);
  const running_node node(folder, {}, {"--certs", "certs/127.0.0.1"});
  process in(command({"ping", node.address, "--certs", "certs/leader"}) + quick, folder.path());
  CHECK(in.wait(deadline) == 0);
  process out(command({"ping", node.address}) + quick, folder.path());
  CHECK(out.wait(deadline) == 1);
  CHECK_THAT(out.err(), ContainsSubstring(node.address + " is reached, but"));
}
