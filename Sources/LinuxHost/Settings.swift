import Glibc
package import Kernel

/// The settings of the kernel that divertd changes, written down before they are changed: they are put back when it
/// ends, and if it could not, by the next one that starts. The file is also the lock that keeps a second one away.
///
/// A line for each: `KIND NAME OLD NEW`. What somebody else has changed meanwhile is left alone.
package struct Settings: ~Copyable {
  private let file: Descriptor
  private var changes: [Change] = []

  private struct Change: Equatable {
    enum Kind: String { case sysctl, mtu }
    let kind: Kind
    /// The path below /proc/sys, or the interface.
    let name: String
    let old: String
    let new: String

    var line: String { "\(kind.rawValue) \(name) \(old) \(new)\n" }

    var current: String? {
      switch kind {
      case .sysctl: (try? readSmallFile("/proc/sys/\(name)")).map { String($0.prefix { $0 != "\n" }) }
      case .mtu: (try? NetworkInterface.all())?.first { $0.name == name }.map { String($0.mtu) }
      }
    }

    func set(_ value: String) throws(SystemError) {
      switch kind {
      case .sysctl: try writeSmallFile("/proc/sys/\(name)", value)
      case .mtu: try Kernel.setMTU(of: name, to: UInt32(value) ?? 0)
      }
    }
  }

  /// Takes the lock, and puts back what an earlier divertd left.
  ///
  /// - Parameter keepsChanges: Whether that is to stay, since the rules of that one are in force.
  package init(path: String, keepsChanges: Bool = false) throws(SystemError) {
    let file = Descriptor(
      owning: try retrying("open \(path)") { unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) })
    guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
      throw SystemError(
        "start divertd", code: EADDRINUSE,
        advice: "one is running already (it holds \(path)); stop it first, or use --socket")
    }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let number = file.number
    let count = try retrying("read \(path)") {
      unsafe buffer.withUnsafeMutableBytes { unsafe read(number, $0.baseAddress, $0.count) }
    }
    self.file = file
    for line in String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 4, let kind = Change.Kind(rawValue: words[0]) else { continue }
      changes.append(Change(kind: kind, name: words[1], old: words[2], new: words[3]))
    }
    if !keepsChanges { restoreAll() }
  }

  /// Sets /proc/sys/`name`; a setting that this kernel does not have is none that matters.
  package mutating func setSysctl(_ name: String, to value: String) throws(SystemError) {
    try change(.sysctl, name, to: value)
  }

  package mutating func setMTU(of interface: String, to mtu: UInt32) throws(SystemError) {
    try change(.mtu, interface, to: String(mtu))
  }

  private mutating func change(_ kind: Change.Kind, _ name: String, to new: String) throws(SystemError) {
    guard let old = Change(kind: kind, name: name, old: "", new: new).current, old != new else { return }
    let change = Change(kind: kind, name: name, old: old, new: new)
    changes.append(change)
    try write()
    try change.set(new)
  }

  /// Puts one setting back.
  package mutating func restore(_ name: String) {
    for change in changes.reversed() where change.name == name && change.current == change.new {
      try? change.set(change.old)
    }
    changes.removeAll { $0.name == name }
    try? write()
  }

  package mutating func restoreAll() {
    for change in changes.reversed() where change.current == change.new { try? change.set(change.old) }
    changes = []
    try? write()
  }

  private func write() throws(SystemError) {
    let bytes = Array(changes.map(\.line).joined().utf8)
    let number = file.number
    _ = try retrying("write down changed settings") { ftruncate(number, 0) }
    _ = try retrying("write down changed settings") {
      unsafe bytes.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) }
    }
  }
}
