import Glibc

/// Which processes have sockets open, found as ss(8) finds them: by the links in /proc/PID/fd.
///
/// Who may not look at a process (ptrace(2)) does not find it.
package struct SocketOwners: Sendable {
  package struct Process: Equatable, Sendable {
    package let identifier: Int32
    /// What it is called, at most 15 bytes (/proc/PID/comm).
    package let name: String

    package init(identifier: Int32, name: String) { (self.identifier, self.name) = (identifier, name) }
  }

  /// By the sockets' inodes.
  private var processes: [UInt32: [Process]]

  package init(_ processes: [UInt32: [Process]]) { self.processes = processes }

  /// - Complexity: O(descriptors of all processes), some microseconds for each.
  package init(of inodes: Set<UInt32>) {
    processes = [:]
    guard !inodes.isEmpty else { return }
    for identifier in names(in: "/proc").compactMap({ Int32($0) }).sorted() {
      let descriptors = "/proc/\(identifier)/fd"
      let held = Set(names(in: descriptors).compactMap { socketInode("\(descriptors)/\($0)") })
        .intersection(inodes)
      guard !held.isEmpty else { continue }
      let name = (try? readSmallFile("/proc/\(identifier)/comm")).map { String($0.prefix { $0 != "\n" }) }
      // A process that has ended meanwhile owns nothing.
      guard let name else { continue }
      for inode in held { processes[inode, default: []].append(Process(identifier: identifier, name: name)) }
    }
  }

  /// In the order of their numbers.
  package subscript(inode: UInt32) -> [Process] { processes[inode] ?? [] }
}

/// What a directory holds; nothing where it cannot be read.
private func names(in directory: String) -> [String] {
  guard let stream = unsafe opendir(directory) else { return [] }
  defer { unsafe closedir(stream) }
  var names: [String] = []
  while let entry = unsafe readdir(stream) {
    // The entry has as many bytes as the name needs, up to a NUL.
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
      unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
    }
    names.append(name)
  }
  return names
}

/// 12345 for a link to `socket:[12345]`.
private func socketInode(_ link: String) -> UInt32? {
  var target = [CChar](repeating: 0, count: 32)
  let count = unsafe readlink(link, &target, target.count)
  guard count > 0 else { return nil }
  let text = String(decoding: target.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  guard text.hasPrefix("socket:["), text.hasSuffix("]") else { return nil }
  return UInt32(text.dropFirst(8).dropLast())
}
