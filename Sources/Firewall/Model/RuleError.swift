/// Why a rule or a command was refused, with the text and the exit status that ipfw(8) gives.
package struct RuleError: Error, Equatable, CustomStringConvertible {
  /// The part of sysexits(3) that ipfw(8) uses.
  package enum Status: Int32, Sendable {
    case usage = 64
    case badData = 65
    case unknownHost = 68
    case unavailable = 69
    case systemError = 71
  }

  /// Without the program's name.
  package let text: String
  package let status: Status

  package init(_ text: String, _ status: Status) {
    self.text = Self.printable(text)
    self.status = status
  }

  /// What a word of a file that is no text would do to a terminal, it does not.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{fffd}" : $0 }))
  }

  /// C0 but for the newline, DEL, C1.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar != "\n" && (scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value))
  }

  package var description: String { text }
}
