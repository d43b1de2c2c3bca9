// Plugin files of all sorts: which are refused, how one is chosen, and what happens when one fails.
#include "runner/support.h"

#include <lopt/plugin.h>
#include <nlohmann/json.hpp>

#include <set>

using namespace lopt::test;

namespace {

const std::string broken = LOPT_BINARY "/tests/plugins/", good_plugins = LOPT_BINARY "/lib/lopt/plugins/";

std::string spec_with(const std::string& optimizer, const std::string& more = "") {
  return "name: test\nsteps: 2\ntask: {plugin: mlp_classifier, hidden: [4], batch_size: 8}\noptimizer: " + optimizer +
         "\n" + more;
}

void require_refused(const std::string& plugin, const std::vector<std::string>& words) {
  TemporaryFolder folder;
  const std::string spec = folder.write("spec.yaml", spec_with("still"));
  for (const Result& result : {run("train " + spec + " --plugin-path " + plugin + " --out " + folder.file("run"), 10),
                               run("check-plugin " + plugin, 10)}) {
    INFO(result.output);
    CHECK(result.code == 3);
    for (const std::string& word : words) CHECK_THAT(result.output, Contains(word));
  }
  const Result list = run("list --plugin-path " + plugin, 10);
  INFO(list.output);
  CHECK(list.code == 0);
  CHECK_THAT(list.output, Contains("refused  " + plugin) && Contains("--plugin-path"));
  CHECK(!fs::exists(folder.file("run")));
}

/// Trains a spec with the broken plugins of a file; requires what it says.
void require_failure(const std::string& plugin, const std::string& optimizer, int code,
                     const std::vector<std::string>& words) {
  TemporaryFolder folder;
  const std::string spec = folder.write("spec.yaml", spec_with(optimizer));
  const Result result =
      run("train " + spec + " --plugin-path " + broken + plugin + ".so --out " + folder.file("run"), 20);
  INFO(result.output);
  CHECK(result.code == code);
  for (const std::string& word : words) CHECK_THAT(result.output, Contains(word));
  CHECK(!fs::exists(folder.file("run")));
}

}  // namespace

TEST_CASE("manifests that are wrong are refused with what would be right") {
  require_refused(broken + "no_manifest.so", {"lopt_plugin_manifest", "LOPT_PLUGIN"});
  require_refused(broken + "wrong_magic.so", {"magic"});
  require_refused(broken + "other_api.so",
                  {"API version " + std::to_string(lopt::api_version + 41), "this runner has 8"});
  require_refused(broken + "other_fingerprint.so", {"cxx11-0", "this runner as 'itanium-c++ libstdc++-cxx11-1"});
  require_refused(broken + "twice.so", {"'still' twice"});
  require_refused(broken + "bad_name.so", {"'Not A Name'", "a-z, 0-9 and _"});
  require_refused(broken + "empty_table.so", {"no components"});
  require_refused(broken + "null_name.so", {"null"});
  require_refused(broken + "null_create.so", {"'still'", "no create"});
  require_refused(broken + "unresolved.so", {"undefined symbol: nobody_defines_this()"});
}

TEST_CASE("a plugin that was built for an older API is refused") {
  // A file of that time, not built here: x86-64, API version 1.
  require_refused(LOPT_SOURCE "/tests/plugins/frozen/still_api1.so", {"API version 1 of lopt, this runner has 8"});
  // The last version before today's, by any compiler: and how to have a plugin that runs.
  require_refused(broken + "still_api7.so",
                  {"API version 7 of lopt, this runner has 8", "cmake --build", "--clean-first", "CHANGELOG.md"});
}

TEST_CASE("libraries that misbehave while they are loaded are reported, not suffered") {
  require_refused(broken + "crashes_at_load.so", {"crashed (Segmentation fault)", "while it was loaded"});
  require_refused(broken + "exits_at_load.so", {"ended the process (exit code 7)"});
  require_refused(broken + "hangs_at_load.so", {"longer than 2.5 s"});
  require_refused(broken + "wild_pointer.so", {"crashed"});
}

TEST_CASE("what a plugin throws names the plugin, the component and the call") {
  require_failure("throws", "throws", 3, {"'throws'", "throws.so", "while it was made", "no good today"});
  require_failure("fails_later", "fails_later", 3,
                  {"the optimizer 'fails_later'", "fails_later.so", "update()", "the weather is bad"});
  require_failure("fails_later", "{plugin: fails_later, how: other}", 3, {"update()", "no std::exception"});
  if (!std::getenv("LOPT_SANITIZED"))  // sanitizers say it themselves
    require_failure("fails_later", "{plugin: fails_later, how: crash}", 3,
                    {"the optimizer 'fails_later'", "fails_later.so", "crashed in update()", "segmentation fault"});
}

TEST_CASE("threads that crash at the same time are told of once") {
  if (std::getenv("LOPT_SANITIZED")) return;  // sanitizers say it themselves
  for (int i = 0; i < 10; ++i) {
    TemporaryFolder folder;
    const Result result =
        run("train " + folder.write("spec.yaml", spec_with("{plugin: fails_later, how: crash in threads}")) +
            " --plugin-path " + broken + "fails_later.so --out " + folder.file("run"));
    INFO(result.output);
    CHECK(result.code == 1);
    CHECK_THAT(result.output, Contains("crashed (segmentation fault)"));
    CHECK_THAT(result.output, !Contains("its memory is broken"));
  }
}

TEST_CASE("a primitive of a plugin that crashes is named") {
  if (std::getenv("LOPT_SANITIZED")) return;  // sanitizers say it themselves
  TemporaryFolder folder;
  // Its table has no place for numbers as large as the gradients of such parameters.
  const std::string spec =
      folder.write("spec.yaml",
                   "name: test\nsteps: 3\ntask: {plugin: mlp_classifier, hidden: [4], initial_scale: 1.0e+9}\n"
                   "optimizer: looks_up\n");
  const Result result = run("train " + spec + " --plugin-path " LOPT_BINARY "/tests/nonconforming/looks_up.so --out " +
                            folder.file("run"));
  INFO(result.output);
  CHECK(result.code == 3);
  CHECK_THAT(result.output, Contains("the primitive 'lookup' crashed in evaluate() (segmentation fault)"));
}

TEST_CASE("two libraries with one component: the spec says which") {
  TemporaryFolder folder;
  fs::copy_file(good_plugins + "adam.so", folder.file("my_lib.so"));
  fs::create_directory(folder.file("deep"));
  fs::copy_file(good_plugins + "adam.so", folder.file("deep/adam.so"));
  const auto train = [&](const std::string& name, const std::string& paths) {
    const std::string run_folder = folder.file("run");
    fs::remove_all(run_folder);
    return run("train " + folder.write("spec.yaml", spec_with(name)) + paths + " --out " + run_folder);
  };
  const std::string one = " --plugin-path " + folder.file("my_lib.so");
  const Result unclear = train("adam", one);
  INFO(unclear.output);
  CHECK(unclear.code == 2);
  CHECK_THAT(unclear.output, Contains("2 libraries offer the optimizer 'adam'") && Contains(folder.file("my_lib.so")) &&
                                 Contains(good_plugins.substr(0, good_plugins.size() - 1)) &&
                                 Contains("as in my_lib/adam") && Contains("optimizer.plugin"));
  CHECK(train("my_lib/adam", one).code == 0);
  CHECK_THAT(read_file(folder.file("run/run.json")), Contains("my_lib.so"));
  CHECK(train("adam/adam", one).code == 0);
  CHECK_THAT(read_file(folder.file("run/run.json")), !Contains("my_lib.so"));
  // Libraries of one name are told apart by their folders.
  const Result same_name = train("adam/adam", " --plugin-path " + folder.file("deep"));
  CHECK(same_name.code == 2);
  CHECK_THAT(same_name.output, Contains("as in deep/adam/adam"));
  CHECK(train("deep/adam/adam", " --plugin-path " + folder.file("deep")).code == 0);
  // The same file found twice is one library.
  CHECK(train("adam", " --plugin-path " + good_plugins + " --plugin-path " + good_plugins + "adam.so").code == 0);
}

TEST_CASE("plugins are found in the spec's path, the command line, the environment, the user's folder") {
  TemporaryFolder folder;
  const std::string still = broken + "still.so";
  for (const char* place : {"a", "b", "c/lopt/plugins"}) {
    fs::create_directories(folder.file(place));
    fs::copy_file(still, folder.file(place) + "/still.so");
  }
  const Result list = shell("env LOPT_PLUGIN_PATH=/nowhere:" + folder.file("b") + " XDG_DATA_HOME=" + folder.file("c") +
                            " " + runner + " list --long --plugin-path " + folder.file("a"));
  INFO(list.output);
  CHECK(list.code == 0);
  const std::size_t a = list.output.find("/a/still.so (--plugin-path)"),
                    b = list.output.find("/b/still.so (LOPT_PLUGIN_PATH)"),
                    c = list.output.find("/c/lopt/plugins/still.so (the user's data folder)");
  CHECK(a < b);
  CHECK(b < c);
  CHECK(c < list.output.size());
  CHECK_THAT(list.output, Contains("adam.so (the installation)") && Contains("more than one library offers it"));
  const Result by_spec = run("train " + folder.write("spec.yaml", spec_with("still", "plugin_path: a\n")) + " --out " +
                             folder.file("run"));
  INFO(by_spec.output);
  CHECK(by_spec.code == 0);
  // The run's own spec finds the same plugin from anywhere.
  CHECK(shell("sh -c 'cd / && " + runner + " check " + folder.file("run/spec.yaml") + "'").code == 0);
}

TEST_CASE("a plugin can be pinned by its SHA-256, and a rerun says where bytes differ") {
  TemporaryFolder folder;
  fs::copy_file(good_plugins + "adam.so", folder.file("mine.so"));
  const std::string hash = shell("sha256sum " + folder.file("mine.so")).output.substr(0, 64);
  const auto train = [&](const std::string& pin, const std::string& out) {
    const std::string spec = folder.write("spec.yaml", spec_with("{plugin: mine/adam, sha256: " + pin + "}"));
    return run("train " + spec + " --plugin-path " + folder.file("mine.so") + " --out " + folder.file(out));
  };
  CHECK(train(hash, "run").code == 0);
  const auto json = nlohmann::json::parse(read_file(folder.file("run/run.json")));
  bool found = false;
  for (const auto& plugin : json["plugins"])
    if (plugin["path"] == folder.file("mine.so"))
      found = plugin["sha256"] == hash && plugin["components"][0]["name"] == "adam" &&
              plugin["components"][0]["version"] == "1.0";
  CHECK(found);
  const Result other = train(std::string(64, 'a'), "other");
  INFO(other.output);
  CHECK(other.code == 3);
  CHECK_THAT(other.output, Contains("optimizer.sha256") && Contains(hash) && Contains(std::string(64, 'a')));
  CHECK(train("12ab", "short").code == 2);

  const auto rerun = [&](const std::string& out) {
    return run("train " + folder.file("run/spec.yaml") + " optimizer.sha256=null --out " + folder.file(out));
  };
  CHECK_THAT(rerun("again").output, !Contains("SHA-256"));
  shell("strip " + folder.file("mine.so"));
  const Result changed = rerun("changed");
  INFO(changed.output);
  CHECK(changed.code == 0);
  CHECK_THAT(changed.output, Contains("the optimizer 'adam'") && Contains("SHA-256 " + hash.substr(0, 12)));
}

TEST_CASE("a sealed library that was damaged is refused") {
  TemporaryFolder folder;
  std::string bytes = read_file(good_plugins + "momentum.so");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  folder.write("momentum.so", bytes);
  require_refused(folder.file("momentum.so"), {"is damaged", "copy or build it again"});
  folder.write("cut.so", bytes.substr(0, bytes.size() / 2));
  require_refused(folder.file("cut.so"), {"cut.so"});
  folder.write("empty.so", "");
  require_refused(folder.file("empty.so"), {"empty"});
  bytes = read_file(good_plugins + "momentum.so");
  bytes[18] = static_cast<char>(183);
  folder.write("arm.so", bytes);
  require_refused(folder.file("arm.so"), {"64-bit ARM", "x86-64"});
}

TEST_CASE("check-plugin: each broken plugin is caught by the check that is meant for it, and by no other") {
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(LOPT_SOURCE "/tests/plugins/nonconforming")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string source = read_file(entry.path()), mark = "// caught by: ";
    REQUIRE(source.starts_with(mark));
    const std::string check = source.substr(mark.size(), source.find('.') - mark.size());
    const Result result = run(
        "check-plugin " LOPT_BINARY "/tests/nonconforming/" + entry.path().stem().string() + ".so" + time_limit, 100);
    INFO(result.output);
    CHECK(result.code == 3);
    CHECK_THAT(result.output, Contains("FAILED   " + check + " ") && Contains(" 1 failed"));
    ++seen;
  }
  CHECK(seen >= 15);
}

TEST_CASE("check-plugin: the plugins that lopt has pass, those that need settings with them") {
  const std::map<std::string, std::string> needs{{"fixed", "task=mlp_classifier"},
                                                 {"replay", "file=tests/golden/data.npz"},
                                                 {"idx_images", "folder=plugins/dataset/digits"},
                                                 {"learned", "theta=tests/golden/learned_mlp.npz"},
                                                 {"cifar", "folder=."},
                                                 {"csv", "file=table.csv"},
                                                 {"npz", "file=arrays.npz"},
                                                 {"sampled", "task=rosenbrock members=3"},
                                                 {"clip_by_norm", "inner=adam"},
                                                 {"clip_by_value", "inner=adam"},
                                                 {"weight_decay", "inner=adam"},
                                                 {"look_ahead", "inner=adam"},
                                                 {"averaged", "inner=adam"},
                                                 {"guard", "inner=adam"},
                                                 {"by_leaf", "inner=adam"},
                                                 {"accumulate", "inner=adam every=2"},
                                                 {"constant", "value=0.1"},
                                                 {"linear", "value=0.1"},
                                                 {"cosine", "value=0.1"},
                                                 {"inverse_square_root", "value=0.1"},
                                                 {"exponential", "value=0.1 decay=0.5 every=10"},
                                                 {"piecewise", "'boundaries=[10]' 'values=[1, 0.1]'"},
                                                 {"warm_up", "steps=5 then=0.1"},
                                                 {"gradient_noise", "task=mlp_classifier"},
                                                 {"subsampled_loss", "task=mlp_classifier"},
                                                 {"reparametrised_weights", "task=mlp_classifier"},
                                                 {"clipped_loss", "task=mlp_classifier"},
                                                 {"rescaled_loss", "task=mlp_classifier"},
                                                 {"label_noise", "task=mlp_classifier"},
                                                 {"augmented_images", "task=mlp_classifier"}};
  const std::set<std::string> with_files{"replay", "idx_images", "learned", "cifar", "csv", "npz"};
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(good_plugins)) {
    const std::string name = entry.path().stem();
    const auto settings = needs.find(name);
    if (settings != needs.end()) {
      const Result without = run("check-plugin " + entry.path().string() + time_limit, 60);
      CHECK(without.code == 3);
      CHECK_THAT(without.output, Contains("give it"));
    }
    if (with_files.contains(name)) continue;  // their files are made for other tests
    const std::string more = settings != needs.end()         ? settings->second
                             : name == "mixture"             ? "'tasks=[ackley, quadratic]'"
                             : name == "averaged_estimators" ? "'estimators=[pes, {plugin: nres, tasks: 8}]'"
                             : name == "combined"            ? "'estimators=[truncated_es, {plugin: pes, tasks: 8}]'"
                                                             : "";
    const Result result = run(
        "check-plugin " + entry.path().string() + " " + more + (patience > 1 ? time_limit : " --time-limit 20"), 200);
    INFO(result.output);
    CHECK(result.code == 0);
    CHECK_THAT(result.output, Contains(" 0 failed, 0 skipped"));
    ++seen;
  }
  CHECK(seen >= 40);
}
