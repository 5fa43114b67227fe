"""What can go wrong with a user's input. Every message says what is wrong, where, and what to do.

The words stand where each is raised; `grounding.app.markup.render_error` puts them on the page as they are.
"""


class GroundingError(ValueError):
    """Base of all errors that the user can mend; the command line and the app show its message as it is."""


class VideoError(GroundingError):
    """The file cannot be read as a video."""


class QueryError(GroundingError):
    """The query is empty, blank or too long."""


class CheckpointError(GroundingError):
    """The checkpoint is missing, damaged, or does not fit the features it is given."""


class FeaturesError(GroundingError):
    """The features of a video are damaged, or are none."""


class WriteError(GroundingError):
    """A file cannot be written: no room, or no right to."""


class EncoderError(GroundingError):
    """An encoder's weights are missing, damaged or out of reach."""
