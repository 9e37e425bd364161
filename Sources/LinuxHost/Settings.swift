import Glibc
package import Kernel

/// The settings of the kernel that divertd changes, written down before they are changed: they are put back when it
/// ends, and if it could not, by the next one that starts. The file is also the lock that keeps a second one away.
///
/// A line for each: `KIND NAME OLD NEW`. A setting that another program has changed meanwhile is left alone.
package final class Settings {
  private let path: String
  private var lock: Descriptor
  private var changes: [Change] = []
  /// So that there is a number to put settings back with when all are in use.
  private var spare: Descriptor?
  private var isLeft: Bool

  private struct Change: Equatable {
    enum Kind: String { case sysctl, mtu }
    let kind: Kind
    /// The path below /proc/sys, or the interface.
    let name: String
    let old: String
    let new: String

    var line: String { "\(kind.rawValue) \(name) \(old) \(new)\n" }

    /// - Returns: nil for a setting or an interface that is not there.
    func current() throws(SystemError) -> String? {
      switch kind {
      case .sysctl:
        do throws(SystemError) {
          return String(try readSmallFile("/proc/sys/\(name)").prefix { $0 != "\n" })
        } catch {
          guard error.code == ENOENT else { throw error }
          return nil
        }
      case .mtu: return try NetworkInterface.all().first { $0.name == name }.map { String($0.mtu) }
      }
    }

    func set(_ value: String) throws(SystemError) {
      switch kind {
      case .sysctl: try writeSmallFile("/proc/sys/\(name)", value)
      case .mtu: try Kernel.setMTU(of: name, to: UInt32(value) ?? 0)
      }
    }

    /// - Returns: Whether there is nothing left to put back.
    func restore() -> Bool {
      do throws(SystemError) {
        if try current() == new { try set(old) }
        return true
      } catch {
        // The interface has gone between two calls.
        return error.code == ENODEV || error.code == ENOENT
      }
    }
  }

  /// Takes the lock, and puts back what an earlier divertd left.
  ///
  /// - Parameter keepsChanges: Whether that is to stay, since the rules of that one are in force.
  package init(path: String, keepsChanges: Bool = false) throws(SystemError) {
    self.path = path
    isLeft = keepsChanges
    lock = try Self.takeLock(path)
    spare = try lock.duplicate()
    for line in try readSmallFile(path).split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 4, let kind = Change.Kind(rawValue: words[0]) else { continue }
      changes.append(Change(kind: kind, name: words[1], old: words[2], new: words[3]))
    }
    if !keepsChanges { restoreAll() }
  }

  deinit {
    if !isLeft { end() }
  }

  /// All stays as it is and written down, for the next divertd.
  package func leave() { isLeft = true }

  private static func takeLock(_ path: String) throws(SystemError) -> Descriptor {
    while true {
      let file = Descriptor(
        owning: try retrying("open \(path)") { unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) })
      guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
        throw SystemError(
          "start divertd", code: EADDRINUSE,
          advice: "one is running already (it holds \(path)); stop it first, or use --socket")
      }
      // The lock of a file that another divertd has replaced or removed meanwhile is worth nothing.
      if isSame(file, path) { return file }
    }
  }

  private static func isSame(_ file: borrowing Descriptor, _ path: String) -> Bool {
    var (own, named) = (stat(), stat())
    return unsafe fstat(file.number, &own) == 0 && stat(path, &named) == 0 && own.st_dev == named.st_dev
      && own.st_ino == named.st_ino
  }

  /// Sets /proc/sys/`name`; a setting that this kernel does not have is none that matters.
  package func setSysctl(_ name: String, to value: String) throws(SystemError) {
    try change(.sysctl, name, to: value)
  }

  package func setMTU(of interface: String, to mtu: UInt32) throws(SystemError) {
    try change(.mtu, interface, to: String(mtu))
  }

  /// Nothing is changed that is not written down.
  private func change(_ kind: Change.Kind, _ name: String, to new: String) throws(SystemError) {
    guard let old = try Change(kind: kind, name: name, old: "", new: new).current(), old != new else {
      return
    }
    let change = Change(kind: kind, name: name, old: old, new: new)
    try write(changes + [change])
    do throws(SystemError) {
      try change.set(new)
    } catch {
      try? write(changes)
      throw error
    }
    changes.append(change)
  }

  /// Puts one setting back.
  package func restore(_ name: String) { restore { $0.name == name } }

  package func restoreAll() { restore { _ in true } }

  /// What cannot be put back stays written down, for the next divertd.
  private func restore(_ isMeant: (Change) -> Bool) {
    spare = nil
    let left = changes.reversed().filter { !isMeant($0) || !$0.restore() }
    let isChanged = left.count < changes.count
    changes = left.reversed()
    if isChanged { try? write(changes) }
    spare = try? lock.duplicate()
  }

  /// Puts all settings back, and removes the file, unless something is left to be put back.
  package func end() {
    isLeft = true
    restoreAll()
    if changes.isEmpty, Self.isSame(lock, path) { _ = unsafe unlink(path) }
  }

  /// Writes beside and renames: a disk that is full, or a crash, leaves the old file whole. The new file has the lock
  /// before it has the name.
  private func write(_ changes: [Change]) throws(SystemError) {
    let action = "write down changed settings in \(path)"
    let beside = "\(path).new"
    let flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC
    let file = Descriptor(owning: try retrying(action) { unsafe open(beside, flags, 0o600) })
    do throws(SystemError) {
      _ = try retrying(action) { flock(file.number, LOCK_EX | LOCK_NB) }
      let bytes = Array(changes.map(\.line).joined().utf8)
      let written = try retrying(action) {
        unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file.number, $0.baseAddress, $0.count) }
      }
      guard written == bytes.count else { throw SystemError(action, code: ENOSPC) }
      _ = try retrying(action) { unsafe rename(beside, path) }
    } catch {
      _ = unsafe unlink(beside)
      throw error
    }
    lock = file
  }
}
