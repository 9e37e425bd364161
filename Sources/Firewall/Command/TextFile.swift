#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Whole files as text.
package enum TextFile {
  /// Reads a file, `/dev/stdin` included.
  ///
  /// - Throws: What ipfw(8) says of a rule file that it cannot read.
  package static func read(_ path: String) throws(RuleError) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe Self.read(descriptor, into: bytes)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure(path) }
      guard count > 0 else { return String(decoding: contents, as: UTF8.self) }
      contents += buffer[..<count]
    }
  }

  /// Empty lines included, a carriage return at the end, too; without the byte order mark with which some editors begin.
  package static func lines(of text: String) -> [Substring] {
    let text =
      text.unicodeScalars.first == "\u{feff}" ? Substring(text.unicodeScalars.dropFirst()) : text[...]
    return text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      Substring($0)
    }
  }

  private static func read(_ descriptor: CInt, into bytes: UnsafeMutableRawBufferPointer) -> Int {
    #if canImport(Glibc)
      unsafe Glibc.read(descriptor, bytes.baseAddress, bytes.count)
    #elseif canImport(Musl)
      unsafe Musl.read(descriptor, bytes.baseAddress, bytes.count)
    #else
      unsafe Darwin.read(descriptor, bytes.baseAddress, bytes.count)
    #endif
  }

  /// What ipfw(8) says, by errno.
  package static func failure(_ path: String) -> RuleError {
    RuleError("pathname: \(path): \(unsafe String(cString: strerror(errno)))", .usage)
  }
}
