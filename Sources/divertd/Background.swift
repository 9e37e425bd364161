import ArgumentParser
import Glibc
import Kernel

/// The daemon as a process of its own: the program starts itself anew, in a session of its own, and waits until it is
/// ready. (A forked Swift program is none that works, so this is not fork().)
enum Background {
  /// Returns when the daemon is ready; exits as it did when it could not start.
  static func start(_ arguments: [String]) throws {
    var ends: InlineArray<2, CInt> = [0, 0]
    guard
      unsafe withUnsafeMutablePointer(
        to: &ends,
        { pointer in
          unsafe pointer.withMemoryRebound(to: CInt.self, capacity: 2) { unsafe pipe($0) }
        }) == 0
    else { throw SystemError("start divertd in the background") }
    let (reading, writing) = (ends[0], ends[1])
    _ = fcntl(reading, F_SETFD, FD_CLOEXEC)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    unsafe posix_spawnattr_setflags(&attributes, 0x80)  // POSIX_SPAWN_SETSID: the terminal's end is not ours
    let words = arguments + ["--ready-descriptor", String(writing)]
    var pointers = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    var process: pid_t = 0
    // Not /proc/self/exe itself: the process would be called `exe`.
    let code = unsafe posix_spawn(&process, try executablePath(), nil, &attributes, &pointers, environ)
    guard code == 0 else { throw SystemError("start divertd in the background", code: code) }
    _ = close(writing)

    var byte: UInt8 = 0
    if try retrying("wait for divertd", { unsafe read(reading, &byte, 1) }) == 1 { return }
    var status: CInt = 0
    _ = try retrying("wait for divertd", { unsafe waitpid(process, &status, 0) })
    throw ExitCode(status & 0x7f == 0 ? (status >> 8) & 0xff : 70)
  }

  private static func executablePath() throws(SystemError) -> String {
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

  /// Lets the starter return, and lets go of its terminal.
  static func tellReady(_ descriptor: CInt) {
    let nowhere = unsafe open("/dev/null", O_RDWR)
    for standard in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { _ = dup2(nowhere, standard) }
    _ = close(nowhere)
    _ = unsafe chdir("/")
    var byte: UInt8 = 1
    _ = unsafe write(descriptor, &byte, 1)
    _ = close(descriptor)
  }
}
