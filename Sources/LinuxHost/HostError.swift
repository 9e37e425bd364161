package import BPF
package import Kernel

/// Why the kernel cannot be the host, or cannot enforce a rule set.
package enum HostError: Error, CustomStringConvertible {
  case system(SystemError)
  case program(ProgramError)
  case assembler(AssemblerError)

  package var description: String {
    switch self {
    case .system(let error): error.description
    case .program(let error): error.description
    case .assembler(let error): "translate the rules: \(error)"
    }
  }

  package var code: CInt {
    switch self {
    case .system(let error): error.code
    case .program(let error): error.cause.code
    case .assembler: 7
    }
  }
}

/// Runs what throws a ``SystemError`` where a ``HostError`` is thrown.
func system<Result: ~Copyable>(_ body: () throws(SystemError) -> Result) throws(HostError) -> Result {
  do throws(SystemError) { return try body() } catch { throw .system(error) }
}
