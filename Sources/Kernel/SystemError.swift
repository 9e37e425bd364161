public import Glibc

/// A call to the kernel that failed: what was wanted, the errno, what to try.
public struct SystemError: Error, Equatable, CustomStringConvertible {
  /// As the user would say it: "bind divert port 53".
  public let action: String
  public let code: CInt
  /// What to try, where there is something to try.
  public let advice: String?

  /// `action` is a closure so that errno is read before a text is built.
  public init(_ action: @autoclosure () -> String, code: CInt = errno, advice: String? = nil) {
    (self.action, self.code) = (action(), code)
    self.advice = advice ?? Self.usualAdvice[code]
  }

  private static let usualAdvice: [CInt: String] = [
    EPERM: "run it as root, or give it CAP_NET_ADMIN and CAP_BPF"
  ]

  public var description: String {
    let reason = unsafe String(cString: strerror(code))
    return advice.map { "\(action): \(reason); \($0)" } ?? "\(action): \(reason)"
  }
}

/// Repeats a system call that a signal interrupted; -1 becomes a ``SystemError``.
@inlinable
package func retrying<Result: SignedInteger>(
  _ action: @autoclosure () -> String, _ call: () -> Result
) throws(SystemError) -> Result {
  while true {
    let result = call()
    if result != -1 { return result }
    let code = errno
    if code != EINTR { throw SystemError(action(), code: code) }
  }
}
