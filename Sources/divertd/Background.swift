import ArgumentParser
import Glibc
import Kernel

/// The daemon as a process of its own: the program starts itself anew, in a session of its own, and waits until it is
/// ready.
enum Background {
  /// Returns when the daemon is ready; exits as it did when it could not start.
  static func start(_ arguments: [String]) throws {
    let ready = try Pipe()
    // Not /proc/self/exe itself: the process would be called `exe`.
    let child = try spawn(
      try executablePath(), arguments + ["--ready-descriptor", "3"], descriptors: [(ready.writing.number, 3)],
      inNewSession: true)
    guard readSome(of: ready.keepReading()).isEmpty else { return }
    throw ExitCode(waitForEnd(of: child))
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
