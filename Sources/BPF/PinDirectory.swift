import CSystem
import Glibc
package import Kernel

/// A directory of a bpf file system (bpf(2), BPF_OBJ_PIN): attachments and maps that are pinned there live without a
/// process. It is root's alone.
///
/// Who has it open has locked it (flock(2)); the lock goes with the process.
package final class PinDirectory: Sendable {
  package let path: String
  private let descriptor: Descriptor

  /// Opens and locks a directory.
  ///
  /// - Throws: `ENOENT` where there is none, `EWOULDBLOCK` where another process has locked it.
  package init(opening path: String) throws(SystemError) {
    guard Self.isRootsAlone(path) else {
      throw SystemError("open \(path)", code: ENOENT, advice: "there is no such directory of root's alone")
    }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let descriptor = Descriptor(owning: try retrying("open \(path)") { unsafe Glibc.open(path, flags) })
    let number = descriptor.number
    _ = try retrying("lock \(path)") { flock(number, LOCK_EX | LOCK_NB) }
    self.path = path
    self.descriptor = descriptor
  }

  /// The same, but makes the directory and the one above it where they are missing.
  package convenience init(creating path: String) throws(SystemError) {
    let parent = Self.parent(of: path)
    guard Self.isOnBPFFileSystem(parent) || Self.isOnBPFFileSystem(Self.parent(of: parent)) else {
      throw SystemError(
        "keep the hooks in \(parent)", code: ENODEV,
        advice: "no bpf file system is there: `mount -t bpf bpf /sys/fs/bpf` makes one; "
          + "in the place of `ip netns exec NAME`, which hides it, use `nsenter --net=/run/netns/NAME`")
    }
    try Self.make(parent)
    try Self.make(path)
    try self.init(opening: path)
  }

  private static func make(_ path: String) throws(SystemError) {
    if unsafe mkdir(path, 0o700) == 0 { return }
    guard errno == EEXIST else { throw SystemError("make the directory \(path)") }
    if isRootsAlone(path) { return }
    // In /sys/fs/bpf everyone may make directories, and who owns one could take the pins out of it.
    _ = try retrying("move \(path), which is not root's alone, aside") {
      unsafe rename(path, "\(path)-foreign-\(getpid())")
    }
    _ = try retrying("make the directory \(path)") { unsafe mkdir(path, 0o700) }
  }

  private static func isRootsAlone(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == 0
      && status.st_mode & 0o022 == 0
  }

  /// BPF_FS_MAGIC (linux/magic.h)
  private static func isOnBPFFileSystem(_ path: String) -> Bool {
    unsafe csystem_file_system(path) == 0xcafe_4a11
  }

  /// What is pinned here.
  package var names: [String] { Self.names(in: path) }

  package static func names(in path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Pins an object; what had the name is replaced in one step.
  package func pin(_ object: borrowing Descriptor, as name: String) throws(SystemError) {
    let (new, place) = ("\(path)/new", "\(path)/\(name)")
    _ = unsafe unlink(new)
    try Self.call(.objectPin, new, object.number, "pin \(place)")
    _ = try retrying("pin \(place)") { unsafe rename(new, place) }
  }

  /// The object of this name; nil where there is none.
  package func open(_ name: String) -> Descriptor? { Self.open("\(path)/\(name)") }

  package static func open(_ path: String) -> Descriptor? {
    guard let number = try? call(.objectGet, path, 0, "open \(path)") else { return nil }
    return Descriptor(owning: number)
  }

  /// Unpins an object: it goes, unless something else holds it.
  package func remove(_ name: String) { _ = unsafe unlink("\(path)/\(name)") }

  /// Unpins everything, and removes the directory; the one above it, too, if it is empty then.
  package func removeAll() {
    for name in names { remove(name) }
    _ = unsafe rmdir(path)
    _ = unsafe rmdir(Self.parent(of: path))
  }

  private static func parent(of path: String) -> String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  /// union bpf_attr for BPF_OBJ_*: the path, a descriptor.
  @discardableResult
  private static func call(
    _ command: BPFCommand, _ path: String, _ number: CInt, _ action: String
  ) throws(SystemError) -> CInt {
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: number), at: 8)
    let result = unsafe path.withCString { text in
      unsafe attributes.storeAddress(text, at: 0)
      return attributes.call(command)
    }
    guard result >= 0 else {
      let code = errno
      throw SystemError(action, code: code, advice: bpfAdvice(code))
    }
    return result
  }
}
