import Glibc

/// Bytes on their way to a descriptor, written some 64 KiB at a time.
package struct OutputBuffer: ~Copyable, Sendable {
  private let descriptor: Descriptor
  private let action: String
  private var bytes: [UInt8] = []

  private static let size = 65_536

  /// - Parameter action: What errors say has failed: "write verdicts".
  package init(to descriptor: consuming Descriptor, _ action: String) {
    self.descriptor = descriptor
    self.action = action
    bytes.reserveCapacity(2 * Self.size)
  }

  package mutating func append(_ byte: UInt8) { bytes.append(byte) }

  package mutating func append(_ text: StaticString) {
    unsafe bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  package mutating func append(_ more: [UInt8]) { bytes += more }

  package mutating func append(_ span: RawSpan) {
    unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
  }

  package mutating func append(littleEndian integer: UInt16) {
    bytes.append(UInt8(truncatingIfNeeded: integer))
    bytes.append(UInt8(truncatingIfNeeded: integer >> 8))
  }

  package mutating func append(littleEndian integer: UInt32) {
    append(littleEndian: UInt16(truncatingIfNeeded: integer))
    append(littleEndian: UInt16(truncatingIfNeeded: integer >> 16))
  }

  package mutating func append(decimal number: Int) {
    var digits: InlineArray<20, UInt8> = .init(repeating: 0)
    var (rest, count) = (number.magnitude, 0)
    repeat {
      digits[count] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
      count += 1
    } while rest > 0
    if number < 0 { append(UInt8(ascii: "-")) }
    while count > 0 {
      count -= 1
      append(digits[count])
    }
  }

  /// Writes if there is enough for it to be worth a system call.
  package mutating func flushIfFull() throws(SystemError) {
    if bytes.count >= Self.size { try flush() }
  }

  package mutating func flush() throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let number = descriptor.number
      done += try retrying(action) {
        unsafe bytes.withUnsafeBytes {
          unsafe write(number, $0.baseAddress?.advanced(by: done), $0.count - done)
        }
      }
    }
    bytes.removeAll(keepingCapacity: true)
  }
}
