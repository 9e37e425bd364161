import Glibc
package import Kernel
import Synchronization

/// A directory for small files that goes when its owner lets go of it or this process ends, even by SIGKILL: a shell
/// waits for the end of a pipe whose other end only this process has.
package final class ScratchDirectory: Sendable {
  package let path: String
  private let remover: Int32
  private let leash: Mutex<Descriptor?>

  /// Whoever still has a file there is on a leash, too: when it cannot make new ones any more, the directory goes.
  private static let script = """
    read -r _; tries=0
    until rm -rf "$1" 2>/dev/null || [ $tries = 50 ]; do tries=$((tries + 1)); sleep 0.1; done
    """

  /// - Parameter name: How it begins; it lies in TMPDIR, else in /tmp.
  package init(named name: String) throws(SystemError) {
    let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/\(name)-XXXXXX".utf8CString)
    let isMade = unsafe template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return false }
      return unsafe mkdtemp(start) != nil
    }
    guard isMade else { throw SystemError("make a directory in \(parent)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    do throws(SystemError) {
      let pipe = try Pipe()
      remover = try spawn(
        "/bin/sh", ["sh", "-c", Self.script, "remover", path], descriptors: [(pipe.reading.number, 0)],
        inNewSession: true)
      leash = Mutex(pipe.keepWriting())
    } catch {
      _ = unsafe rmdir(path)
      throw error
    }
  }

  deinit {
    leash.withLock { $0 = nil }
    _ = waitForEnd(of: remover)
  }
}
