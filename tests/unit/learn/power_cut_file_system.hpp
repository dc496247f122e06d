#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "learn/draws.hpp"
#include "learn/file_system.hpp"
#include "tests/unit/learn/scratch_folder.hpp"

namespace troupe::test {

/// The real file system, plus a model of what of it is on the disk. After `operations` operations the power fails (they
/// go on in memory, unseen by the disk); `leave_what_survives` then rewrites the folder to one of the states that the
/// disk may be in, drawn by the seed: bytes that were not synced are there, lost or garbage; renames and new names that
/// were not followed by a sync of their folder have happened or not, later ones without earlier ones too. Removals are
/// taken as done.
class power_cut_file_system final : public learn::file_system {
public:
  power_cut_file_system(std::filesystem::path root, int operations, uint64_t seed)
    : root_(std::move(root)), left_(operations), random_(seed, learn::purpose::sample_order, 1, 1) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator{root_})
      if (entry.is_regular_file()) {
        const bytes content = read_file(entry.path());
        names_[entry.path()] = durable_[entry.path()] = std::make_shared<inode>(inode{content, content});
      }
  }

  /// Whether the power failed before the writer was done.
  [[nodiscard]] bool cut() const { return left_ < 0; }

  expected<void> make_folder(const std::filesystem::path& path) override { return real().make_folder(path); }

  expected<std::unique_ptr<output>> create(const std::filesystem::path& path) override {
    auto out = real().create(path);
    if (!out)
      return out;
    auto node = std::make_shared<inode>();
    if (goes()) {
      names_[path] = node;
      pending_.push_back({path.parent_path(), {}, path, node});
    }
    return std::make_unique<tracked>(*this, std::move(*out), std::move(node));
  }

  expected<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (goes()) {
      std::vector<std::filesystem::path> inside; // the file itself, or the files of a folder
      for (const auto& [path, node] : names_)
        if (path == from || path.parent_path() == from)
          inside.push_back(path);
      change moved{.folder = to.parent_path(), .moves = {}, .name = {}, .node = {}};
      for (const auto& path : inside) {
        const auto target = path == from ? to : to / path.filename();
        moved.moves.emplace_back(path, target);
        names_[target] = names_[path];
        names_.erase(path);
      }
      pending_.push_back(std::move(moved));
    }
    return real().rename(from, to);
  }

  expected<void> sync_folder(const std::filesystem::path& path) override {
    if (goes()) {
      std::vector<change> rest;
      for (auto& c : pending_)
        if (c.folder == path)
          apply(c);
        else
          rest.push_back(std::move(c));
      pending_ = std::move(rest);
    }
    return {};
  }

  expected<void> remove(const std::filesystem::path& path) override {
    if (goes()) {
      const auto gone = [&](const auto& entry) { return entry.first == path || entry.first.parent_path() == path; };
      std::erase_if(names_, gone);
      std::erase_if(durable_, gone);
    }
    return real().remove(path);
  }

  void leave_what_survives() {
    for (const auto& c : pending_)
      if (random_.below(2) == 0)
        apply(c);
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
    for (const auto& [path, node] : durable_) {
      std::filesystem::create_directories(path.parent_path());
      write_file(path, survives(*node));
    }
  }

private:
  struct inode {
    bytes now;
    bytes on_disk;
  };

  /// A change of names in a folder that is not on the disk yet: files that move, or a new one.
  struct change {
    std::filesystem::path folder;
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> moves;
    std::filesystem::path name;
    std::shared_ptr<inode> node;
  };

  class tracked final : public output {
  public:
    tracked(power_cut_file_system& disk, std::unique_ptr<output> out, std::shared_ptr<inode> node)
      : disk_(disk), out_(std::move(out)), node_(std::move(node)) {}
    expected<void> write(std::span<const std::byte> part) override {
      if (disk_.goes())
        for (const auto byte : part)
          node_->now.push_back(static_cast<uint8_t>(byte));
      return out_->write(part);
    }
    expected<void> sync() override {
      if (disk_.goes())
        node_->on_disk = node_->now;
      return {};
    }

  private:
    power_cut_file_system& disk_;
    std::unique_ptr<output> out_;
    std::shared_ptr<inode> node_;
  };

  bool goes() { return left_ >= 0 && --left_ >= 0; }

  void apply(const change& c) {
    if (c.node)
      durable_[c.name] = c.node;
    for (const auto& [from, to] : c.moves)
      if (const auto at = durable_.find(from); at != durable_.end()) {
        durable_[to] = at->second;
        durable_.erase(from);
      }
  }

  bytes survives(const inode& node) {
    bytes result = node.on_disk;
    if (node.now == node.on_disk)
      return result;
    switch (random_.below(3)) {
    case 0:
      return result;
    case 1:
      return node.now;
    default:
      result.resize(node.now.size());
      for (size_t i = node.on_disk.size(); i < result.size(); ++i)
        result[i] = random_.below(2) == 0 ? 0 : node.now[i];
      return result;
    }
  }

  std::filesystem::path root_;
  int left_;
  learn::draws random_;
  std::map<std::filesystem::path, std::shared_ptr<inode>> names_;   // as programs see it
  std::map<std::filesystem::path, std::shared_ptr<inode>> durable_; // as the disk has it
  std::vector<change> pending_;
};

} // namespace troupe::test
