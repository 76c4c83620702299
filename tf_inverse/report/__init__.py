"""Looking at samples: contact sheets, HTML pages, TensorBoard; all without TensorFlow."""
