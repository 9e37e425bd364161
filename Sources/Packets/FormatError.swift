/// Bytes that are not the packet they were taken for.
///
/// Thrown per packet, and so without any text: that is made when somebody asks for ``description``.
public enum FormatError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Fewer bytes than the fixed header has.
  case truncated(_ format: String, has: Int, needs: Int)
  /// A length field that contradicts the header or goes beyond the bytes.
  case badLength(_ format: String, Int)
  /// A version field that means something else.
  case badVersion(_ format: String, UInt8)

  public var description: String {
    switch self {
    case .truncated(let format, let has, let needs): "\(format) cut short: \(has) of \(needs) bytes"
    case .badLength(let format, let length): "\(format) with a bad length: \(length)"
    case .badVersion(let format, let version): "\(format) with version \(version)"
    }
  }
}
