#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "apps/troupe/job_file.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe::command;
using Catch::Matchers::ContainsSubstring;
using troupe::test::temporary_folder;

namespace {

std::string refusal(const std::string& path) {
  const auto entries = read_job_file(path);
  return entries ? "accepted" : entries.error().sentence;
}

} // namespace

TEST_CASE("a job file is read in the order of its lines, values spelled as on a command line") {
  const temporary_folder folder;
  const auto path = folder.with(
    "job.toml", "# a job\nsteps = 10\nlr = 0.001\n\nresume = true\nnodes = ['a:1', 'b:2']\nmodel = \"mlp\"");
  const auto entries = read_job_file(path).value();
  REQUIRE(entries.size() == 5);
  CHECK(entries[0].key == "steps");
  CHECK(entries[0].value == "10");
  CHECK(entries[0].where == path + ":2");
  CHECK(entries[1].value == "0.001");
  CHECK(entries[2].value == "true");
  CHECK(entries[2].where == path + ":5");
  CHECK(entries[3].value == "a:1,b:2");
  CHECK(entries[4].value == "mlp");
}

TEST_CASE("an empty job file says nothing") {
  const temporary_folder folder;
  CHECK(read_job_file(folder.with("job.toml", "")).value().empty());
}

TEST_CASE("what is no job file is refused with its place") {
  const temporary_folder folder;
  CHECK_THAT(refusal(folder / "absent.toml"),
             ContainsSubstring("cannot open the job file") && ContainsSubstring("No such file"));
  CHECK_THAT(refusal(folder.path().string()), ContainsSubstring("cannot read the job file"));
  CHECK_THAT(refusal(folder.with("a.toml", "model = 'mlp'\nmodel =\n")),
             ContainsSubstring("a.toml:2: this is not TOML"));
  CHECK_THAT(refusal(folder.with("b.toml", "a = 1\n[train]\nmodel = 'mlp'\n")),
             ContainsSubstring("b.toml:2: a job file has no tables, and [train] is one"));
  CHECK_THAT(refusal(folder.with("c.toml", "epochs = 2026-01-01\n")),
             ContainsSubstring("c.toml:1: epochs takes a text"));
  CHECK_THAT(refusal(folder.with("d.toml", "nodes = [['a:1']]\n")), ContainsSubstring("d.toml:1: nodes takes a text"));
}
