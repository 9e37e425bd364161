import Glibc

/// A file of at most 64 KiB: sysctls, /proc and /sys entries.
package func readSmallFile(_ path: String) throws(SystemError) -> String {
  let file = Descriptor(owning: try retrying("read \(path)") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
  var buffer = [UInt8](repeating: 0, count: 65536)
  let count = try retrying("read \(path)") {
    unsafe buffer.withUnsafeMutableBytes { unsafe read(file.number, $0.baseAddress, $0.count) }
  }
  return String(decoding: buffer.prefix(count), as: UTF8.self)
}

/// Writes a whole small file in one call, as sysctls want it.
package func writeSmallFile(_ path: String, _ text: String, creating: Bool = false) throws(SystemError) {
  let flags = O_WRONLY | O_CLOEXEC | (creating ? O_CREAT | O_TRUNC : 0)
  let file = Descriptor(owning: try retrying("write \(path)") { unsafe open(path, flags, 0o600) })
  let bytes = Array(text.utf8)
  _ = try retrying("write \(path)") {
    unsafe bytes.withUnsafeBytes { unsafe write(file.number, $0.baseAddress, $0.count) }
  }
}
