import CSystem
import Glibc

/// Starts a program (posix_spawn(3)): a forked Swift process is none that works.
///
/// - Parameters:
///   - path: The program, found along PATH if it has no slash.
///   - words: Its arguments, the first one its name.
///   - variables: Environment variables beside those of this process, `NAME=VALUE`.
///   - descriptors: What it gets under another number; all others should be close-on-exec.
///   - inNewSession: Not bound to this terminal (setsid(2)).
/// - Returns: Its process identifier.
package func spawn(
  _ path: String, _ words: [String], variables: [String] = [], descriptors: [(from: CInt, to: CInt)] = [],
  inNewSession: Bool = false
) throws(SystemError) -> Int32 {
  var actions = unsafe posix_spawn_file_actions_t()
  unsafe posix_spawn_file_actions_init(&actions)
  defer { unsafe posix_spawn_file_actions_destroy(&actions) }
  for (from, to) in descriptors { unsafe posix_spawn_file_actions_adddup2(&actions, from, to) }

  // Worker threads have all signals blocked, and a shell that inherits that never hears of its child's end.
  var attributes = posix_spawnattr_t()
  unsafe posix_spawnattr_init(&attributes)
  defer { unsafe posix_spawnattr_destroy(&attributes) }
  var none = sigset_t()
  unsafe sigemptyset(&none)
  unsafe posix_spawnattr_setsigmask(&attributes, &none)
  // POSIX_SPAWN_SETSIGMASK, POSIX_SPAWN_SETSID
  unsafe posix_spawnattr_setflags(&attributes, 0x08 | (inNewSession ? 0x80 : 0))

  var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
  var environment = unsafe variables.map { unsafe strdup($0) }
  let own = unsafe environment.count
  var next = unsafe environ
  while let variable = unsafe next.pointee {
    unsafe environment.append(variable)
    unsafe next += 1
  }
  unsafe environment.append(nil)
  defer {
    unsafe arguments.forEach { unsafe free($0) }
    unsafe environment.prefix(own).forEach { unsafe free($0) }
  }
  var identifier: pid_t = 0
  let code = unsafe posix_spawnp(&identifier, path, &actions, &attributes, &arguments, &environment)
  guard code == 0 else { throw SystemError("start \(path)", code: code) }
  return identifier
}

/// Where this program's file is.
package func ownPath() throws(SystemError) -> String {
  var path = [UInt8](repeating: 0, count: 4096)
  let count = try retrying("find this program") {
    unsafe path.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return -1 }
      return unsafe readlink(
        "/proc/self/exe", UnsafeMutableRawPointer(start).assumingMemoryBound(to: CChar.self), buffer.count)
    }
  }
  return String(decoding: path.prefix(count), as: UTF8.self)
}

/// A pipe; both ends are close-on-exec.
package struct Pipe: ~Copyable, Sendable {
  package let reading: Descriptor
  package let writing: Descriptor

  package init() throws(SystemError) {
    var ends: InlineArray<2, CInt> = [-1, -1]
    let result = unsafe withUnsafeMutableBytes(of: &ends) {
      unsafe csystem_pipe2($0.assumingMemoryBound(to: CInt.self).baseAddress, O_CLOEXEC)
    }
    guard result == 0 else { throw SystemError("make a pipe") }
    reading = Descriptor(owning: ends[0])
    writing = Descriptor(owning: ends[1])
  }

  /// Closes the end that is somebody else's now.
  package consuming func keepReading() -> Descriptor { reading }
  package consuming func keepWriting() -> Descriptor { writing }
}

/// Reads what is there, waiting for the first byte; no bytes at the end.
package func readSome(of descriptor: borrowing Descriptor) -> [UInt8] {
  var buffer = [UInt8](repeating: 0, count: 65536)
  let number = descriptor.number
  let count = try? retrying("read from a pipe") {
    unsafe buffer.withUnsafeMutableBytes { unsafe read(number, $0.baseAddress, $0.count) }
  }
  return Array(buffer.prefix(count ?? 0))
}

/// Waits for the end of a child and gives its exit status; 128 and the signal's number if one ended it.
package func waitForEnd(of identifier: Int32) -> CInt {
  var code: CInt = 0
  _ = try? retrying("wait for a child", { unsafe waitpid(identifier, &code, 0) })
  return code & 0x7f == 0 ? (code >> 8) & 0xff : 128 + (code & 0x7f)
}
