import Captures
import Glibc
import Kernel

/// Files that a replay reads and writes.
enum InputFile {
  static let standardInput = "-"

  /// What messages call it.
  static func title(_ path: String) -> String { path == standardInput ? "standard input" : path }

  static func open(_ path: String) throws(ReplayError) -> Descriptor {
    do throws(SystemError) {
      if path == standardInput { return try Descriptor.duplicate(of: STDIN_FILENO) }
      return Descriptor(owning: try retrying(path) { unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC) })
    } catch {
      throw failure(path, error)
    }
  }

  static func text(of path: String) throws(ReplayError) -> String {
    let file = try open(path)
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    do throws(SystemError) {
      while true {
        let number = file.number
        let count = try retrying(path) {
          unsafe buffer.withUnsafeMutableBytes { unsafe read(number, $0.baseAddress, $0.count) }
        }
        guard count > 0 else { return String(decoding: text, as: UTF8.self) }
        text += buffer[..<count]
      }
    } catch {
      throw failure(path, error)
    }
  }

  static func failure(_ path: String, _ error: SystemError) -> ReplayError {
    let reason = SystemError(title(path), code: error.code, advice: nil)
    let isInput = [ENOENT, ENOTDIR, EISDIR, EACCES, ELOOP, ENAMETOOLONG].contains(error.code)
    return ReplayError("\(reason)", isInput ? 66 : 71)
  }

  static func failure(_ path: String, _ error: CaptureError) -> ReplayError {
    if case .unreadable(let error) = error { return failure(path, error) }
    return ReplayError("\(title(path)): \(error)", 65)
  }
}

/// The file that gets the packets that passed.
enum OutputFile {
  /// - Parameter input: What is being read, which must not be what is written to.
  static func create(_ path: String, besides input: borrowing Descriptor) throws(ReplayError) -> Descriptor {
    var (read, written) = (stat(), stat())
    if unsafe stat(path, &written) == 0, unsafe fstat(input.number, &read) == 0,
      written.st_mode & S_IFMT == S_IFREG, (read.st_dev, read.st_ino) == (written.st_dev, written.st_ino)
    {
      throw ReplayError("--write \(path): that is the capture itself", 64)
    }
    do throws(SystemError) {
      return Descriptor(
        owning: try retrying("make \(path)") {
          unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        })
    } catch {
      throw ReplayError("\(SystemError(error.action, code: error.code, advice: nil))", 73)
    }
  }
}

extension Descriptor {
  /// One that can be closed without harm.
  static func duplicate(of number: CInt) throws(SystemError) -> Descriptor {
    Descriptor(owning: try retrying("use descriptor \(number)") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
  }
}
